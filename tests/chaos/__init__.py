"""The stack under faults."""
