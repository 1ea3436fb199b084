"""How moments, spans, counts and tasks are said to people: the filters of the templates."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from flask import Blueprint

from api.services import services
from shared.clock import iso
from shared.model import NO_SECTION, Batch, Operation, Status
from shared.tasks import Task

_STATUS = {
    Status.QUEUED: "Queued",
    Status.IN_PROGRESS: "In progress",
    Status.DONE: "Done",
    Status.FAILED: "Failed",
    Status.CANCELED: "Canceled",
}

#: Longest span that is said in a unit, what it is in milliseconds, and its sign.
_UNITS = ((60_000, 1_000, "s"), (3_600_000, 60_000, "min"), (86_400_000, 3_600_000, "h"), (None, 86_400_000, "d"))


def status_word(status: Status) -> str:
    return _STATUS[status]


def span(ms: float) -> str:
    """Say how long something took: ``340 ms``, ``1.2 s``, ``4 min``."""
    if ms < 1000:
        return f"{max(0, round(ms))} ms"
    for longest, unit, sign in _UNITS:
        if longest is None or ms < longest:
            return f"{_short(ms / unit)} {sign}"
    raise AssertionError("the last unit takes all")


def ago(ms: int) -> str:
    """Say how long ago a moment was."""
    passed = services().clock() - ms
    return "just now" if passed < 1000 else f"{span(passed // 1000 * 1000)} ago"


def moment(ms: int) -> str:
    """Say a moment in full: ``2026-11-23 09:53:15 UTC``."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock_time(ms: int) -> str:
    """Say the time of a day: ``09:53``."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%H:%M")


def count(number: int) -> str:
    """Write a number with thin gaps: ``12 345``."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def brief(number: float) -> str:
    """Write a number so that it fits anywhere: ``950``, ``12.3k``, ``4.5M``."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{_short(number / size)}{sign}"
    return _short(number)


def size(number: int) -> str:
    """Write a number of bytes: ``812 B``, ``1.2 kB``, ``64 MB``."""
    amount, sign = float(number), "B"
    for bigger in ("kB", "MB", "GB"):
        if amount < 1000:
            break
        amount, sign = amount / 1000, bigger
    return f"{_short(amount)} {sign}"


def _short(amount: float) -> str:
    """Write two digits or more, and no ``.0``."""
    return f"{amount:.0f}" if amount >= 10 else f"{amount:.1f}".removesuffix(".0")


def what(batch: Batch) -> str:
    """Say what a batch does: ``put 1 000 items``, ``export items``."""
    if batch.export is not None:
        return f"{batch.operation} {batch.export.part.replace('_', ' ')}"
    return f"{batch.operation} {count(batch.entries)} {batch.noun}"


def where(batch: Batch) -> str:
    """Say where it does it: the section, or nothing for what belongs to the whole catalog."""
    return "" if batch.section == NO_SECTION else batch.section


def took(task: Task) -> str:
    """Say how long it was from its submission to its end; nothing while it is open, or if it was taken back."""
    return span(task.updated_ms - task.submitted_ms) if task.status in (Status.DONE, Status.FAILED) else ""


def ran(task: Task) -> str:
    """Say how long an ended task was at work: a small one begins and ends in one step, which is one moment."""
    if task.started_ms is None:
        return ""
    ms = task.updated_ms - task.started_ms
    return f"after running {span(ms)}" if ms else "in the same step"


def pretty(entry: bytes) -> str:
    """Lay out the JSON of an entry, without touching a number."""
    try:
        return msgspec.json.format(entry, indent=2).decode(errors="replace")
    except msgspec.DecodeError:
        return entry.decode(errors="replace")


def preview(entry: bytes) -> str:
    """Write the beginning of an entry on one line."""
    line = " ".join(entry.decode(errors="replace").split())
    return line if len(line) <= _PREVIEW else line[:_PREVIEW] + "…"


#: Characters that fit on a line, more or less.
_PREVIEW = 110


class _Named(msgspec.Struct):
    name: str = ""
    item_id: str = ""


_decode_named = msgspec.json.Decoder(_Named).decode


def name_of(entry: bytes) -> str:
    """Read the name of an entry, which is not always there."""
    return _decode_named(entry).name


def item_of(variation: bytes) -> str:
    """Read the id of the item that a variation belongs to."""
    return _decode_named(variation).item_id


def is_destructive(batch: Batch) -> bool:
    return batch.operation in (Operation.DELETE, Operation.REPLACE) or batch.operation.builds


def register(blueprint: Blueprint) -> None:
    """Make the words known to the templates."""
    for word in (
        status_word, span, ago, moment, clock_time, count, brief, size, what, where, took, ran, pretty, preview,
        name_of, item_of, iso,
    ):  # fmt: skip
        blueprint.add_app_template_filter(word)
    blueprint.add_app_template_test(is_destructive, "destructive")
