"""The history of entries: which tasks touched one, and what each changed."""
