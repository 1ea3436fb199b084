"""Random histories against a list in memory."""
