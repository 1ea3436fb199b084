"""Deliver catalogs to their sinks."""
