"""Read JSON files: one entry per line, a list of entries, or an object with such a list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec
from msgspec import Raw

from api.entries.group_ids import GroupIds
from api.entries.json_body import decode
from api.errors import Invalid, Problem
from api.files.rows.lines import LINE_MAX_BYTES, NO_ENTRY, BrokenFile, Row, read_blocks, with_newlines
from shared.model import Kind

_BLANK = b" \t\r"
_JSON = msgspec.json.Decoder(Raw)
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode
_text = msgspec.json.Decoder(str).decode

#: The start of a file that is one list, possibly the only member of an object.
_LIST = re.compile(rb'\s*(?:\{\s*"(\w+)"\s*:\s*)?\[')
#: A start that is too short to decide.
_PERHAPS_LIST = re.compile(rb'\s*(?:\{\s*(?:"\w*(?:"\s*(?::\s*)?)?)?)?\Z')
#: A string, a bracket or a comma; a lone quote begins a string that has not arrived whole.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|["{}\[\],]', re.DOTALL)
_AS_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")

NOT_IN_ORDER = "not valid JSON: a list of entries must end with ] (and } of its object), with nothing after that"


class JsonFile:
    """A JSON file in UTF-8."""

    def __init__(self, kind: Kind, known: Iterable[str]) -> None:
        """Create a reader; ``known`` are the fields that an entry may have."""
        self._kind = kind
        self._known = frozenset(known)
        self._unknown: dict[str, None] = {}
        self._group_ids = GroupIds()

    @property
    def unknown(self) -> list[tuple[str, str]]:
        """The unknown fields, which were ignored."""
        return [(name, "") for name in self._unknown]

    @property
    def group_ids(self) -> set[str]:
        """The item groups that the entries name."""
        return self._group_ids.ids

    def name_field(self, field: str) -> str:
        return field

    def rows(self, pieces: Iterable[bytes]) -> Iterator[Row]:
        """Read the entries, in any of the forms; skip blank lines.  Raises BrokenFile."""
        for row in self._rows(pieces):
            if self._kind is not Kind.ITEM_GROUPS:
                self._group_ids.note_entry(row[1])
            yield row

    def _rows(self, pieces: Iterable[bytes]) -> Iterator[Row]:
        arriving, start = with_newlines(pieces), b""
        for piece in arriving:
            start += piece
            if not _PERHAPS_LIST.match(start) or len(start) > LINE_MAX_BYTES:
                break
        head = _LIST.match(start)
        if head is None or head[1] not in (None, self._kind.encode()):
            return self._lines(chain([start], arriving))
        closing = b"}" if head[1] else b""
        return self._list(chain([start[head.end() :]], arriving), 1 + start.count(b"\n", 0, head.end()), closing)

    def _lines(self, pieces: Iterable[bytes]) -> Iterator[Row]:
        for block, first in read_blocks(pieces):
            for number, line in enumerate(block.split(b"\n"), first):
                if text := line.strip(_BLANK):
                    yield _row(number, text)

    def _list(self, pieces: Iterator[bytes], line: int, closing: bytes) -> Iterator[Row]:
        rest, done, after_comma = b"", False, False
        for piece in pieces:
            rest += piece
            start = 0
            while not done and (end := _end_of_element(rest, start)) is not None:
                text, mark = rest[start:end].strip(_BLANK + b"\n"), rest[end : end + 1]
                if text:
                    lead = len(rest[start:end]) - len(rest[start:end].lstrip())
                    yield _row(line + rest.count(b"\n", start, start + lead), text.translate(_AS_ONE_LINE))
                elif mark == b"," or after_comma:
                    raise BrokenFile("not valid JSON: an entry is missing before or after a comma", line)
                line += rest.count(b"\n", start, end)
                start, done, after_comma = end + 1, mark == b"]", mark == b","
            rest = rest[start:]
            if len(rest) > LINE_MAX_BYTES:
                raise BrokenFile(NOT_IN_ORDER if done else f"an entry is longer than {LINE_MAX_BYTES} bytes", line)
        if not done or rest.strip() != closing:
            raise BrokenFile(NOT_IN_ORDER, line + rest.count(b"\n"))

    def tidy(self, entry: Raw) -> Raw:
        """Drop unknown fields; turn the single parent of an item group into a list."""
        try:
            members = _members(entry)
        except (msgspec.DecodeError, RecursionError):
            return entry
        unknown = members.keys() - self._known
        if self._kind is Kind.ITEM_GROUPS and "parent_id" in unknown and "parent_ids" in self._known:
            unknown.discard("parent_id")
            members.setdefault("parent_ids", _as_list(members.pop("parent_id")))
        elif not unknown:
            return entry
        for name in unknown:
            if len(self._unknown) < MAX_UNKNOWN:
                self._unknown[name[:100]] = None
            del members[name]
        return Raw(_encode(members))


#: Most unknown names in the warnings.
MAX_UNKNOWN = 20


def _as_list(parent: Raw) -> Raw:
    text = bytes(parent)
    return Raw(b"[]") if text in (b"null", b'""') else Raw(b"[%s]" % text)


def _row(number: int, text: bytes) -> Row:
    try:
        return number, decode(_JSON, text), None
    except Invalid as refused:
        return number, NO_ENTRY, Problem("", refused.errors[0].msg)


def _end_of_element(text: bytes, start: int) -> int | None:
    """Find the comma or bracket after an element of a list; None if it has not arrived yet."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        match token[0]:
            case b"{" | b"[":
                depth += 1
            case b"}" | b"]" if depth:
                depth -= 1
            case b"," | b"]" if not depth:
                return token.start()
            case b'"':
                return None
    return None
