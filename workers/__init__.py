"""The workers: drain partitions in order, with one owner each."""
