"""Stand-ins that do nothing by themselves."""

from __future__ import annotations


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, ms: int) -> None:
        """Move on, or back."""
        self.now_ms += ms


class SilentBell:
    """A bell that wakes nobody and remembers for whom it was rung; it has always been quiet for long."""

    is_quiet = True

    def __init__(self) -> None:
        self.rung: list[str] = []
        self.rung_ahead: list[str] = []

    def ring_ahead(self, catalog_key: str) -> None:
        self.rung_ahead.append(catalog_key)

    def ring(self, catalog_key: str) -> None:
        self.rung.append(catalog_key)
