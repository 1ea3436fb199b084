"""What distinguishes two states of an entry, field by field.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from shared.catalog.equality import same
from shared.catalog.merging import Fields, decode_fields

#: Objects whose members are compared one by one.
_OPENED = ("data", "data.facets", "data.metadata")


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs; a side without a value is None."""

    #: `name`, `data.price`, `data.facets.color`.
    field: str
    before: bytes | None
    after: bytes | None


def differences(before: Fields, after: Fields, *, inside: str = "") -> Iterator[Difference]:
    """Compare two states, with the fields in the order of the first, then those that came."""
    for name in [*before, *(name for name in after if name not in before)]:
        path = f"{inside}.{name}" if inside else name
        one, other = _value(before.get(name)), _value(after.get(name))
        if one is not None and other is not None and same(one, other):
            continue
        if path in _OPENED and _is_object(one) and _is_object(other):
            yield from differences(_members(one), _members(other), inside=path)
        else:
            yield Difference(path, one, other)


def _value(raw: msgspec.Raw | None) -> bytes | None:
    return None if raw is None else bytes(raw).strip()


def _is_object(text: bytes | None) -> bool:
    return text is None or text.startswith(b"{")


def _members(text: bytes | None) -> Fields:
    return {} if text is None else decode_fields(text)
