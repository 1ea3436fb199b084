"""Filter tasks by days, in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from shared.tasks.records import TaskFilter

_DAY_MS = int(timedelta(days=1).total_seconds()) * 1000


def between_days(
    first: date | None, last: date | None, statuses: frozenset[str] | None = None, *, exports: bool | None = None
) -> TaskFilter:
    """Create a filter for tasks submitted between two days, both included."""
    return TaskFilter(
        statuses=statuses or None,  # type: ignore[arg-type]  # a Status is a str
        from_ms=_midnight_ms(first) if first else None,
        before_ms=_midnight_ms(last) + _DAY_MS if last else None,
        exports=exports,
    )


def _midnight_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
