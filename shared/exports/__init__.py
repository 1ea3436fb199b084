"""Exports: their records, and the files they write."""
