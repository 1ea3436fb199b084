"""Template filters that format moments, durations, counts and tasks for people."""

from __future__ import annotations

import re

import msgspec
from flask import Blueprint
from markupsafe import Markup

from api.monitor.units import ago, brief, clock_time, count, moment, size, span
from shared.clock import iso
from shared.model import NO_SECTION, Batch, Operation, Status
from shared.tasks.records import Task

_STATUS = {
    Status.QUEUED: "Queued",
    Status.IN_PROGRESS: "In progress",
    Status.DONE: "Done",
    Status.FAILED: "Failed",
    Status.CANCELED: "Canceled",
}


def status_word(status: Status) -> str:
    return _STATUS[status]


def what(batch: Batch) -> str:
    """Describe a batch: ``put 1 000 items``, ``export items``."""
    if batch.export is not None:
        return f"{batch.operation} {batch.export.part.replace('_', ' ')}"
    return f"{batch.operation} {count(batch.entries)} {batch.noun}"


def where(batch: Batch) -> str:
    """Name the section of a batch; '' for item groups, which have none."""
    return "" if batch.section == NO_SECTION else batch.section


def took(task: Task) -> str:
    """Format the time from submission to end; '' while the task is open, or if it was canceled."""
    return span(task.updated_ms - task.submitted_ms) if task.status in (Status.DONE, Status.FAILED) else ""


def ran(task: Task) -> str:
    """Format how long an ended task ran: a small one begins and ends in one step, at one moment."""
    if task.started_ms is None:
        return ""
    ms = task.updated_ms - task.started_ms
    return f"after running {span(ms)}" if ms else "in the same step"


def pretty(entry: bytes) -> str:
    """Lay out the JSON of an entry, without touching a number."""
    try:
        return _readable(msgspec.json.format(entry, indent=2).decode(errors="replace"))
    except msgspec.DecodeError:
        return _readable(entry.decode(errors="replace"))


def preview(entry: bytes, most: int = 110) -> str:
    """Write the beginning of an entry on one line, of so many characters, more or less."""
    line = _readable(" ".join(entry.decode(errors="replace").split()))
    return line if len(line) <= most else line[:most] + "…"


#: An escape of JSON: a character, or the two halves of one.
_ESCAPE = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|.)")
#: Characters that are not seen themselves, but turn round what is, or hide in it.
_HIDDEN = re.compile("[\\u0080-\\u009f\\u061c\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2069\\ufeff]")


def _readable(text: str) -> str:
    """Write JSON as people read it: letters instead of their escapes, and escapes instead of what nobody sees."""
    return visible(_ESCAPE.sub(_unescaped, text))


def _unescaped(found: re.Match[str]) -> str:
    high, low, alone = found.groups()
    if high:
        return bytes.fromhex(high + low).decode("utf-16-be")
    letter = chr(int(alone, 16)) if alone else ""
    # What JSON has to escape stays so, and half a character is none.
    return letter if letter.isprintable() and letter not in ('"', "\\", "") else found[0]


def minute(ms: int) -> str:
    """Write a moment as a field of a form has it."""
    return iso(ms)[:16]


def field_name(path: str) -> str:
    """Name a field as people do: ``price`` for ``data.price``."""
    return path.removeprefix("data.").removeprefix("facets.") or path


def value(text: bytes) -> str:
    """Write the JSON of a value on one line, a text without its quotes."""
    line = preview(text, most=_VALUE)
    return line[1:-1] if len(line) > 1 and line[0] == line[-1] == '"' else line


def visible(text: str) -> str:
    """Write escapes instead of characters that nobody sees."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def percent(share: float) -> str:
    """Write a share as a percentage; only all is 100 %, and only none is 0 %."""
    if 0 < share < 0.001:
        return "<0.1 %"
    if 0.999 < share < 1:
        return ">99.9 %"
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def isolate(text: str) -> str:
    """Keep what somebody else wrote, from right to left perhaps, from turning round what stands beside it."""
    return text if text.isascii() else Markup("<bdi>{}</bdi>").format(text)


#: Characters of a value.
_VALUE = 80


class _EntryName(msgspec.Struct):
    name: str = ""
    item_id: str = ""


_decode_named = msgspec.json.Decoder(_EntryName).decode


def name_of(entry: bytes) -> str:
    """Read the name of an entry, which is not always there."""
    return _decode_named(entry).name


def item_of(variation: bytes) -> str:
    """Read the id of the item that a variation belongs to."""
    return _decode_named(variation).item_id


def is_destructive(batch: Batch) -> bool:
    return batch.operation in (Operation.DELETE, Operation.REPLACE) or batch.operation.builds


def register(blueprint: Blueprint) -> None:
    """Register the filters with the templates."""
    for word in (
        status_word, span, ago, moment, clock_time, count, brief, size, what, where, took, ran, pretty, preview,
        name_of, item_of, iso, isolate, visible, percent, field_name, value, minute,
    ):  # fmt: skip
        blueprint.add_app_template_filter(word)
    blueprint.add_app_template_test(is_destructive, "destructive")
