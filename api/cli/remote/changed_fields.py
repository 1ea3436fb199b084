"""The fields that a task changed, in one line of a table."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

#: Characters of a value, and the fields of one task.
VALUE_LENGTH = 40
MOST_FIELDS = 6


class ChangedField(msgspec.Struct):
    """One field; values keep their digits, and are empty where there is none."""

    field: str
    before: msgspec.Raw = msgspec.Raw()
    after: msgspec.Raw = msgspec.Raw()


def changes_text(changes: Sequence[ChangedField], *, known: bool) -> str:
    """Write changes as ``price 19.90 → 17.50``; ``known``: what was before is."""
    shown = [_change(change, known=known) for change in changes[:MOST_FIELDS]]
    more = len(changes) - len(shown)
    return ", ".join(shown) + (f", {more} more" if more else "")


def _change(change: ChangedField, *, known: bool) -> str:
    name, before, after = change.field.removeprefix("data."), _value(change.before), _value(change.after)
    if not after:
        return f"{name} removed"
    return f"{name} {before or ('(new)' if known else '')} → {after}".replace("  ", " ")


def _value(raw: msgspec.Raw) -> str:
    text = " ".join(bytes(raw).decode().split())
    return text if len(text) <= VALUE_LENGTH else text[:VALUE_LENGTH] + "…"
