"""Which modes of variations search engines can have."""

from __future__ import annotations

from shared.sinks.mapping import Mapping, Variations
from shared.sinks.sinks import BadSink


def check_mode(mapping: Mapping) -> None:
    """Raise BadSink if a search engine cannot have variations as the mapping wants them."""
    if mapping.mode not in (Variations.TABLE, Variations.NONE):
        raise BadSink(f"mode {mapping.mode}: only PostgreSQL has it; here there are table and none")
