"""Read NDJSON bodies: one entry per line."""

from __future__ import annotations

import re
from array import array

import msgspec
from msgspec import Raw

from api.entries.json_body import decode
from api.entries.parsed_body import ParsedBody, count_problem
from api.errors import Invalid, Problem

#: What is in a line, from its first character that is not blank; the blanks at its end go too, below.
_LINE = re.compile(rb"[^ \t\r\n][^\n]*")
_BLANK = b" \t\r"

_JSON = msgspec.json.Decoder(Raw)
_NULL = Raw(b"null")


def read_ndjson(body: bytes, name: str, max_entries: int) -> ParsedBody:
    """Read the entries of a body, one per line; skip blank lines.

    A line that is not JSON counts as an invalid entry.  Raises Invalid if there are too few entries or too many.
    """
    entries: list[Raw] = []
    bounds, lines, broken = array("I"), array("I"), {}
    line, seen = 1, 0
    for match in _LINE.finditer(body):
        if len(entries) == max_entries:
            raise Invalid(Problem(name, str(count_problem(max_entries + 1, max_entries))))
        start, text = match.start(), match[0].rstrip(_BLANK)
        line, seen = line + body.count(b"\n", seen, start), start
        try:
            entry = decode(_JSON, text)
        except Invalid as refused:
            broken[len(entries)], entry = refused.errors[0].msg, _NULL
        entries.append(entry)
        bounds.extend((start, start + len(text)))
        lines.append(line)
    if problem := count_problem(len(entries), max_entries):
        raise Invalid(Problem(name, problem))
    return ParsedBody(body, entries, bounds, broken, lines)
