"""Guards over HTTP: the rules that stop a bad feed before it applies."""
