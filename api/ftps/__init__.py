"""Receive catalogue files over FTPS."""
