"""Catalogue files: read an upload row by row, check it, and stage its chunks."""
