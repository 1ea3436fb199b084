"""Exports: write a catalogue to files, as lines of JSON or rows of CSV."""
