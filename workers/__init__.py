"""The workers: drain partitions, one owner each, in order."""
