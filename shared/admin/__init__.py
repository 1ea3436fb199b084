"""Operators' actions on a catalog: settle a stuck partition, copy, delete."""
