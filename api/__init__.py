"""The ingress: checks what comes in over HTTP, submits it, and reads the stores back."""
