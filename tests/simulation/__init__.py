"""Whole histories in one thread: senders, workers and accidents, in an order and at times that a seed decides."""
