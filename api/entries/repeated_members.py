"""Find entries that name a member twice, at the top or in an open object: nothing says which value counts.

No parser at hand tells.  The exact look costs 20 times what checking an entry does, so there is a quick one before it,
which may suspect too many: what was parsed and is written again is as long as what was sent, without blanks, unless a
member is gone.  For entries that are much alike there is a quicker one, in ``alike``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from marshmallow import Schema
from msgspec import UNSET, Raw, UnsetType

from api.schemas import fields

REPEATED = "this member occurs more than once"

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode
_exact = json.JSONDecoder(
    object_pairs_hook=lambda pairs: _Pairs(pairs), parse_int=str, parse_float=str, parse_constant=str, strict=False
).decode


class _Pairs(list[tuple[str, Any]]):
    """The members of an object, also those that come twice."""


class RepeatedMembers:
    """Looks at entries of one schema."""

    def __init__(self, schema: Schema) -> None:
        keys = {name: field.data_key or name for name, field in schema.fields.items()}
        self._open = {keys[name] for name, field in schema.fields.items() if isinstance(field, fields.OpenObject)}
        members: list[Any] = [
            (name, (dict[str, Raw] | None if key in self._open else Raw) | UnsetType, UNSET)
            for name, key in keys.items()
        ]
        row = msgspec.defstruct("Members", members, rename=keys, gc=False)
        self._decode = msgspec.json.Decoder(list[row]).decode  # type: ignore[valid-type]

    def among(self, entries: Sequence[Raw]) -> list[int]:
        """List the indexes of entries that name a member twice, of entries that are JSON."""
        if not self._may_be_in(entries):
            return []
        # Few entries to look at more closely: those that are no objects are refused without it.
        return [i for i, raw in enumerate(entries) if self.of(raw)]

    def of(self, raw: Raw) -> list[str]:
        """Name the members that an entry has twice, as `repeated_members` does."""
        return repeated_members(raw, self._open) if self._may_be_in([raw]) else []

    def _may_be_in(self, entries: Sequence[Raw]) -> bool:
        try:
            text = msgspec.json.format(b"[%b]" % b",".join(entries), indent=-1)
            return len(_encode(self._decode(text))) != len(text)
        except (msgspec.ValidationError, RecursionError):
            return True


def repeated_members(raw: Raw | bytes, open_objects: Collection[str] = ()) -> list[str]:
    """Name the members that an object has twice, those inside one of its ``open_objects`` behind its name and a dot."""
    text = bytes(raw)
    try:
        if not text.startswith(b"{") or not _may_repeat(text, open_objects):
            return []
        top = _exact(text.decode())
    except RecursionError:
        return []  # too deep, and refused for that
    inside = [(f"{name}.", value) for name, value in top if name in open_objects and isinstance(value, _Pairs)]
    return [
        before + name
        for before, pairs in [("", top), *inside]
        for name, times in Counter(name for name, _ in pairs).items()
        if times > 1
    ]


def _may_repeat(text: bytes, open_objects: Collection[str]) -> bool:
    compact = msgspec.json.format(text, indent=-1)
    members: dict[str, Any] = _members(compact)
    for name in open_objects:
        if bytes(members.get(name, b"")).startswith(b"{"):
            members[name] = _members(members[name])
    return len(_encode(members)) != len(compact)
