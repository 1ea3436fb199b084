"""Count the fields of the stored items, in the background."""
