"""Clocks, which are passed in as values."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

#: Returns milliseconds since the epoch.  Tests pass one that they move by hand.
Clock = Callable[[], int]


def now_ms() -> int:
    """Read the system's clock."""
    return time.time_ns() // 1_000_000


def iso(ms: int) -> str:
    """Format a moment as the contract does, in UTC: ``2022-12-14T23:16:22Z``."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
