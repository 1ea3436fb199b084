"""Check the entries of a batch, wherever they come from: all at once, and each by the rules of its schema."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, islice, pairwise
from typing import Any

import msgspec
from marshmallow import Schema, ValidationError
from marshmallow.fields import Field
from msgspec import Raw
from stringzilla import count, translate

from api.entry_schemas import ENTRY_SCHEMAS, entry_schema
from api.errors import Problem
from api.fast_path import FastPath, by_key
from api.fields import OpenObject
from api.file_schemas import FILE_PATCHES
from api.schemas import problems
from shared.model import Kind, OnMissing, Operation

#: Objects and arrays within each other, the entry itself counted.  Keeps every recursive reader behind us safe.
MAX_DEPTH = 64
#: No rule allows an entry so long, unless it is made of blanks; it bounds what one of them can cost.
ENTRY_MAX_BYTES = 1_000_000
#: Of one entry no more problems are kept: a sender can make as many as there is room for unknown fields.
PROBLEMS_PER_ENTRY = 20
#: Entries that pass as not too deep by one look at all of them.
PASSED_TOGETHER = 4

TOO_DEEP = f"ensure this value is nested at most {MAX_DEPTH} levels deep"
_TOO_LONG = f"ensure this value has at most {ENTRY_MAX_BYTES} bytes of JSON"

_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"{}"))
_AS_BRACES = bytes.maketrans(b"[]", b"{}")
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_value = msgspec.json.Decoder().decode


@dataclass(slots=True)
class Checked:
    """What came of checking entries: the id and, if the kind has them, the parent of each, and what is wrong with it.

    Where an entry has problems, its id and parent stand for nothing.
    """

    ids: list[str]
    parents: list[str | None] | None
    #: By the index of the entry, ascending.
    problems: dict[int, list[Problem]] = field(default_factory=dict)


class EntryRules:
    """The rules for the entries of one kind in one operation.

    Two engines that never disagree: the fast path sees all entries, marshmallow those that the fast path did not take.
    """

    def __init__(self, schema: Schema, kind: Kind) -> None:
        self._schema = schema
        self._fields = by_key(schema)
        self._fast = FastPath(schema)
        self._has_parents = kind is Kind.VARIATIONS

    def check(self, entries: Sequence[Raw], loc: str, *, first: int = 0) -> Checked:
        """Check one or more entries that are JSON in valid UTF-8.

        ``loc`` is the name of the list they were sent in, ``first`` the place of the first of them there.
        """
        read = self._fast.read(entries)
        parents = read.parents
        if parents is None and self._has_parents:
            parents = [None] * len(entries)
        checked = Checked(read.ids, parents)
        for index in sorted(read.doubtful | _perhaps_too_deep(entries)):
            if wrong := self._recheck(checked, index, entries[index], f"{loc}[{first + index}]"):
                checked.problems[index] = wrong
        return checked

    def judge(self, raw: Raw) -> dict[str, Any]:
        """Let marshmallow decide about one entry that is not too deep.  Raises marshmallow's ValidationError."""
        loaded: dict[str, Any] = self._schema.load(_opened(raw, self._fields))
        return loaded

    def _recheck(self, checked: Checked, index: int, raw: Raw, loc: str) -> list[Problem]:
        if bytes(raw).startswith(b"{"):  # anything else is refused unread
            if len(raw) > ENTRY_MAX_BYTES:
                return [self._too_long(raw, loc)]
            if is_too_deep(raw):
                return [Problem(loc, TOO_DEEP)]
        if self._fast.accept(raw):  # its id and parent are there already
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
        except RecursionError:  # its depth was not looked at
            return Problem(loc, TOO_DEEP)
        return Problem(loc, _TOO_LONG)


@cache
def rules_for(kind: Kind, operation: Operation, on_missing: OnMissing) -> EntryRules:
    """Build, once, the rules for the entries of such a batch."""
    return EntryRules(entry_schema(kind, operation, on_missing)(), kind)


@cache
def file_rules_for(kind: Kind, operation: Operation, on_missing: OnMissing) -> EntryRules:
    """Build, once, the rules for the entries of catalogue files: what builds a generation has whole ones, or names."""
    match operation:
        case Operation.SYNC:
            return rules_for(kind, Operation.PUT, on_missing)
        case Operation.KEEP:
            return rules_for(kind, Operation.DELETE, on_missing)
        case Operation.PATCH if on_missing is not OnMissing.CREATE:
            return EntryRules(FILE_PATCHES[kind](), kind)
        case _:
            return rules_for(kind, operation, on_missing)


# All of them now: a schema that has no fast path must not wait for its first batch to say so.
for _kind, _operation in ENTRY_SCHEMAS:
    for _on_missing in OnMissing:
        rules_for(_kind, _operation, _on_missing)
        file_rules_for(_kind, _operation, _on_missing)


def _perhaps_too_deep(entries: Sequence[Raw]) -> set[int]:
    """List at least those that are too deep: all with so many opening brackets, also inside strings."""
    lengths = list(map(len, entries))
    # What is too deep has as many brackets that close.
    if max(lengths) <= 2 * MAX_DEPTH:
        return set()
    text, bounds = translate(b"".join(entries), _AS_BRACES), [0, *accumulate(lengths)]
    # Few have many: most can be passed some at a time.
    full = _with_many_braces(text, [*bounds[:-1:PASSED_TOGETHER], len(text)])
    return {
        start + index
        for start in (PASSED_TOGETHER * stretch for stretch in full)
        for index in _with_many_braces(text, bounds[start : start + PASSED_TOGETHER + 1])
    }


def _with_many_braces(text: bytes, bounds: Sequence[int]) -> list[int]:
    """List which stretches between bounds have more opening braces than an entry may have levels."""
    return [i for i, (first, past) in enumerate(pairwise(bounds)) if count(text, b"{", first, past) > MAX_DEPTH]


#: Characters of an id that is shown although it breaks the rules.
_SHOWN_ID = 250


def sent_id(raw: Raw) -> str | None:
    """Read the id of an entry that breaks the rules, for people; None if it has none that is a text."""
    try:
        found = _identified(raw).id
    except (msgspec.DecodeError, RecursionError):
        return None
    return found[:_SHOWN_ID] if isinstance(found, str) else None


class _Identified(msgspec.Struct):
    id: Any = None


_identified = msgspec.json.Decoder(_Identified).decode


def is_too_deep(raw: Raw) -> bool:
    """Tell whether valid JSON nests deeper than MAX_DEPTH."""
    text = bytes(raw)
    if text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return False
    brackets = _STRING.sub(b"", text).translate(_AS_BRACES).translate(None, _ALL_BUT_BRACKETS)
    for _ in range(MAX_DEPTH):
        # With one kind of bracket and no strings, each turn takes away exactly the innermost level of every branch.
        brackets = brackets.replace(b"{}", b"")
    return bool(brackets)


class _SentObject(dict[str, Any]):
    """An object that knows the length of its text."""

    sent_bytes = 0


#: Stands for a value that no rule looks at, or that every rule refuses: a number that Python cannot hold.
_OPAQUE = object()


def _opened(raw: Raw, known: Mapping[str, Field[Any]]) -> Any:
    """Decode an object for marshmallow as far as the rules look, and leave the values of other fields unread.

    So a number that Python cannot hold is no obstacle where it is only stored.
    """
    if not bytes(raw).startswith(b"{"):
        return _OPAQUE
    return {key: _opened_value(value, known.get(key)) for key, value in _members(raw).items()}


def _opened_value(raw: Raw, field: Field[Any] | None) -> Any:
    text = bytes(raw)
    if field is None:
        return [] if text.startswith(b"[") else _OPAQUE  # whether it is a list matters to an edit key
    if isinstance(field, OpenObject) and text.startswith(b"{"):
        fits = len(text) <= field.max_bytes
        sent = _SentObject(_opened(raw, by_key(field.schema)) if fits else {})
        sent.sent_bytes = len(text)
        return sent
    try:
        return _value(raw)
    except msgspec.ValidationError:
        return _OPAQUE
