"""The soak test: a whole stack under mixed load for hours, with what it keeps removed after minutes."""
