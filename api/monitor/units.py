"""Format times, counts and sizes for people."""

from __future__ import annotations

from datetime import UTC, datetime

from api.services import current_services

#: Upper bound of spans in a unit, the unit in milliseconds, its symbol.
_UNITS = ((60_000, 1_000, "s"), (3_600_000, 60_000, "min"), (86_400_000, 3_600_000, "h"), (None, 86_400_000, "d"))


def span(ms: float) -> str:
    """Format a duration: ``340 ms``, ``1.2 s``, ``4 min``."""
    if ms < 1000:
        return f"{max(0, round(ms))} ms"
    for longest, unit, sign in _UNITS:
        if longest is None or ms < longest:
            return f"{_short(ms / unit)} {sign}"
    raise AssertionError("the last unit takes all")


def ago(ms: int) -> str:
    """Format the age of a moment."""
    passed = current_services().clock() - ms
    return "just now" if passed < 1000 else f"{span(passed // 1000 * 1000)} ago"


def moment(ms: int) -> str:
    """Format a moment in full: ``2026-11-23 09:53:15 UTC``."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock_time(ms: int) -> str:
    """Format the time of day: ``09:53``."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%H:%M")


def count(number: int) -> str:
    """Format a number with thin spaces: ``12 345``."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def brief(number: float) -> str:
    """Format a number briefly: ``950``, ``12.3k``, ``4.5M``."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{_short(number / size)}{sign}"
    return _short(number)


def size(number: int) -> str:
    """Format a number of bytes: ``812 B``, ``1.2 kB``, ``64 MB``."""
    amount, sign = float(number), "B"
    for bigger in ("kB", "MB", "GB"):
        if amount < 1000:
            break
        amount, sign = amount / 1000, bigger
    return f"{_short(amount)} {sign}"


def _short(amount: float) -> str:
    """Write two digits or more, and no ``.0``."""
    return f"{amount:.0f}" if amount >= 10 else f"{amount:.1f}".removesuffix(".0")
