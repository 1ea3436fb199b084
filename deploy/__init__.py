"""How the parts are put together and run: the stack under one command, the embedded store, the demo."""
