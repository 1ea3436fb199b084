"""The rows of a catalogue file: lines, CSV columns, JSON, groups; each becomes an entry that keeps the rules."""
