"""Limit the nesting depth of entries without parsing them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate, pairwise

from msgspec import Raw
from stringzilla import count, translate

#: Most nested objects and arrays, including the entry itself.  Protects every recursive reader after us.
MAX_DEPTH = 64

#: Entries checked together.
PASSED_TOGETHER = 4

TOO_DEEP = f"ensure this value is nested at most {MAX_DEPTH} levels deep"

_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"{}"))

_AS_BRACES = bytes.maketrans(b"[]", b"{}")

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def perhaps_too_deep(entries: Sequence[Raw]) -> set[int]:
    """List the entries that may be too deep: those with too many opening brackets, also inside strings."""
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
    """List the ranges between bounds with more opening braces than an entry may have levels."""
    return [i for i, (first, past) in enumerate(pairwise(bounds)) if count(text, b"{", first, past) > MAX_DEPTH]


def is_too_deep(raw: Raw) -> bool:
    """Return whether valid JSON nests deeper than MAX_DEPTH."""
    text = bytes(raw)
    if text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return False
    brackets = _STRING.sub(b"", text).translate(_AS_BRACES).translate(None, _ALL_BUT_BRACKETS)
    for _ in range(MAX_DEPTH):
        # With one kind of bracket and no strings, each turn takes away exactly the innermost level of every branch.
        brackets = brackets.replace(b"{}", b"")
    return bool(brackets)
