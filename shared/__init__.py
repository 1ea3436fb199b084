"""What ingress and workers have in common: the words, the Redis keys and scripts, and the stores built on them."""
