"""Compute what a batch changes; pure: no store, no clock."""
