"""Shared by ingress and workers: the model, the Redis keys and scripts, and the stores built on them."""
