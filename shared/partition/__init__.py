"""The partition of one catalog: its stream, its lease, its steps."""
