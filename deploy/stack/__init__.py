"""The stack under one command: its processes, store, ports and data folder."""
