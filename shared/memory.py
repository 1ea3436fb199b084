"""The memory of the store: what may be written when none is left."""

from __future__ import annotations

from shared import scripts


def even_if_full(name: str, key: str, *args: scripts.Argument) -> scripts.Command:
    """Make a small write one that a store without memory takes: it helps to make room."""
    return scripts.EVEN_IF_FULL.command((key,), (name, *args))
