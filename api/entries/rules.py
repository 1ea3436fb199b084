"""Check the entries of a batch by the rules of their schema."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any

import msgspec
from marshmallow import Schema, ValidationError
from marshmallow.fields import Field
from msgspec import Raw

from api.entries.depth import TOO_DEEP, is_too_deep, perhaps_too_deep
from api.entries.edits import clashes
from api.entries.fast_decoder import FastPath, by_key
from api.entries.repeated_members import REPEATED
from api.errors import Problem
from api.schemas.base import problems
from api.schemas.entries import ENTRY_SCHEMAS, entry_schema
from api.schemas.fields import OpenObject
from shared.model import Kind, OnMissing, Operation

#: Most bytes of an entry.  Only blanks could make a valid entry longer; it limits the cost of a single entry.
ENTRY_MAX_BYTES = 1_000_000
#: Most problems kept per entry: a sender could cause one for every unknown field.
PROBLEMS_PER_ENTRY = 20

_TOO_LONG = f"ensure this value has at most {ENTRY_MAX_BYTES} bytes of JSON"


_members = msgspec.json.Decoder(dict[str, Raw]).decode
_value = msgspec.json.Decoder().decode


@dataclass(slots=True)
class Checked:
    """The result of checking entries: the id of each, its parent if the kind has parents, and its problems.

    The id and parent of an entry with problems are meaningless.
    """

    ids: list[str]
    parents: list[str | None] | None
    #: Problems by index of the entry, ascending.
    problems: dict[int, list[Problem]] = field(default_factory=dict)


class EntryRules:
    """The rules for the entries of one kind in one operation.

    Two checkers that never disagree: the fast path sees all entries, marshmallow those that the fast path rejects.
    """

    def __init__(self, schema: Schema, kind: Kind) -> None:
        self._schema = schema
        self._fields = by_key(schema)
        self._fast = FastPath(schema)
        self._has_parents = kind is Kind.VARIATIONS

    @property
    def names(self) -> frozenset[str]:
        """Names of the fields that an entry may have."""
        return frozenset(self._fields)

    def check(self, entries: Sequence[Raw], loc: str, *, first: int = 0) -> Checked:
        """Check one or more entries that are JSON in valid UTF-8.

        ``loc`` is the name of the list they were sent in, ``first`` the place of the first of them there.
        """
        read = self._fast.read(entries)
        parents = read.parents
        if parents is None and self._has_parents:
            parents = [None] * len(entries)
        checked = Checked(read.ids, parents)
        for index in sorted(read.doubtful | perhaps_too_deep(entries)):
            if wrong := self._recheck(checked, index, entries[index], f"{loc}[{first + index}]"):
                checked.problems[index] = wrong
        return checked

    def judge(self, raw: Raw) -> dict[str, Any]:
        """Check one entry, not too deep, with marshmallow.  Raises marshmallow's ValidationError."""
        if repeated := self._fast.repeated.of(raw):
            raise ValidationError({name: [REPEATED] for name in repeated})
        loaded: dict[str, Any] = self._schema.load(_opened(raw, self._fields))
        return loaded

    def _recheck(self, checked: Checked, index: int, raw: Raw, loc: str) -> list[Problem]:
        if bytes(raw).startswith(b"{"):  # anything else is rejected unread
            if len(raw) > ENTRY_MAX_BYTES:
                return [self._too_long(raw, loc)]
            if is_too_deep(raw):
                return [Problem(loc, TOO_DEEP)]
        if self._fast.accept(raw):  # its id and parent are known already
            return []
        try:
            loaded = self.judge(raw)
        except ValidationError as refused:
            return list(islice(problems(refused.messages, loc), PROBLEMS_PER_ENTRY))
        checked.ids[index] = loaded["id"]
        if checked.parents is not None:
            checked.parents[index] = loaded.get("item_id")
        return []

    def _too_long(self, raw: Raw, loc: str) -> Problem:
        try:
            for key, member, value in self._fast.open_values(raw):
                if len(value) > member.max_bytes:
                    return Problem(f"{loc}.{key}", member.too_long)
        except RecursionError:  # its depth was not checked
            return Problem(loc, TOO_DEEP)
        return Problem(loc, _TOO_LONG)


@cache
def rules_for(kind: Kind, operation: Operation, on_missing: OnMissing) -> EntryRules:
    """Return the rules for the entries of a batch, built once."""
    return EntryRules(entry_schema(kind, operation, on_missing)(), kind)


# Build all of them at import: a schema without a fast path must fail now, not at its first batch.
for _kind, _operation in ENTRY_SCHEMAS:
    for _on_missing in OnMissing:
        rules_for(_kind, _operation, _on_missing)


#: Most characters of an invalid id that are shown.
_SHOWN_ID = 250


def sent_id(raw: Raw) -> str | None:
    """Read the id of an invalid entry, for people; None if it is not a text."""
    try:
        found = _identified(raw).id
    except (msgspec.DecodeError, RecursionError):
        return None
    return found[:_SHOWN_ID] if isinstance(found, str) else None


class _Identified(msgspec.Struct):
    id: Any = None


_identified = msgspec.json.Decoder(_Identified).decode


class _SentObject(dict[str, Any]):
    """An object with the length of its text."""

    sent_bytes = 0
    #: By key, why an edit of a list cannot stand beside another member.
    clashes: Mapping[str, str] = {}  # replaced, never changed


#: Digits of a number that Python reads.
MAX_DIGITS = 4000

#: Replaces a value that no rule reads.
_OPAQUE = object()


def _opened(raw: Raw, known: Mapping[str, Field[Any]]) -> Any:
    """Decode an object for marshmallow as far as the rules read it, and leave other values undecoded.

    So a number too large for Python is accepted where it is only stored.
    """
    if not bytes(raw).startswith(b"{"):
        return _OPAQUE
    return {key: _opened_value(value, known.get(key)) for key, value in _members(raw).items()}


def _opened_value(raw: Raw, field: Field[Any] | None) -> Any:
    text = bytes(raw)
    if field is None:
        return [] if text.startswith(b"[") else _OPAQUE  # for an edit key it matters whether it is a list
    if isinstance(field, OpenObject) and text.startswith(b"{"):
        fits = len(text) <= field.max_bytes
        sent = _SentObject(_opened(raw, by_key(field.schema)) if fits else {})
        sent.sent_bytes = len(text)
        sent.clashes = clashes(raw) if fits else {}
        return sent
    try:
        return _value(raw)
    except msgspec.ValidationError:
        # A number that no double holds, perhaps deep inside; what stands around it may still be judged.
        return json.loads(text, parse_int=_whole)


def _whole(digits: str) -> int | float:
    """Read a whole number; one with more digits than Python reads is as good as infinite."""
    return int(digits) if len(digits) <= MAX_DIGITS else math.inf
