"""Drain partitions: take the lease, apply tasks from the head, commit, give the lease back."""
