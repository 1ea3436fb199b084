"""The catalogue: its reader, and the changes that a commit makes to it."""
