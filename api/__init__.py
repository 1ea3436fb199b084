"""The ingress: check requests, submit batches, read the store."""
