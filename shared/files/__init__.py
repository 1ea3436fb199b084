"""Formats of catalogue files, and files that survive a power cut."""
