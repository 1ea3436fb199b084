"""PostgreSQL as a destination: exactly once, since the position is in the same transaction as the entries."""
