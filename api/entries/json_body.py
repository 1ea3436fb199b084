"""Read JSON bodies: their entries, and where each begins and ends."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import Raw

from api.entries.depth import TOO_DEEP
from api.entries.parsed_body import ParsedBody, count_problem
from api.entries.repeated_members import REPEATED, repeated_members
from api.errors import Invalid, Problem, TooLarge
from api.schemas.base import problems
from api.schemas.fields import EXTRA, NOT_A_DICT, NOT_A_LIST, NULL, REQUIRED

_decode_text = msgspec.json.Decoder(str).decode

#: Most bytes of a small body: decoded as a whole, it may take a dozen times as much memory.
SMALL_BODY_BYTES = 1_000_000


def read_json(body: bytes, name: str, max_entries: int) -> ParsedBody:
    """Read the entries of an object whose one member, ``name``, is a list of them.

    Raises Invalid if the body is not such an object, or has too few entries or too many.
    """
    entries = _read_entries(body, name, max_entries)
    return ParsedBody(body, entries, _locate(body, entries, name))


def parse_json(body: bytes) -> Any:
    """Decode a small body whole.  Raises Invalid, or TooLarge if it is not small."""
    if len(body) > SMALL_BODY_BYTES:
        raise TooLarge(f"This request takes a body of at most {SMALL_BODY_BYTES} bytes")
    try:
        value = decode(msgspec.json.Decoder(), body)
        refuse_repeated(body)
        return value
    except msgspec.ValidationError:
        raise Invalid(Problem("body", "a number is out of range")) from None


def refuse_repeated(body: bytes) -> None:
    """Raise Invalid if a body that is a JSON object has a member twice."""
    if repeated := repeated_members(body.strip()):
        raise Invalid(*(Problem(name, REPEATED) for name in repeated))


def text_of(sent: Raw) -> str | None:
    """Decode a JSON string; None for any other value, even a number too large for Python."""
    return _decode_text(sent) if bytes(sent).startswith(b'"') else None


def list_up_to(sent: bytes, most: int) -> Sequence[Raw] | None:
    """Split a JSON list into its elements; None if it has more than ``most``, without reading all of them."""
    try:
        return _present(decode(msgspec.json.Decoder(_up_to(most)), sent))
    except msgspec.ValidationError:
        return None


# --- where the entries lie --------------------------------------------------------------------------------------------

_BLANK = rb"[ \t\r\n]*"
#: The text before the first entry, between two entries, and after the last, in a body with one member.
_HEAD = re.compile(_BLANK + rb"\{" + _BLANK + rb'"[^"]*"' + _BLANK + rb":" + _BLANK + rb"\[" + _BLANK)
_COMMA = re.compile(_BLANK + rb"," + _BLANK)
_TAIL = re.compile(_BLANK + rb"\]" + _BLANK + rb"\}" + _BLANK)


def _locate(body: bytes, entries: Sequence[Raw], name: str) -> array[int]:
    """Find the start and end of each entry of a body whose one member is ``name``.

    The whole body is accounted for, head, entries, commas and tail: a body that repeats its member, of which the parser
    keeps the last, cannot pass with the bounds of another.  Raises Invalid for it.
    """
    if head := _HEAD.match(body):
        bounds = _evenly_spaced(body, head.end(), entries) or _walk(body, head.end(), entries)
        if bounds and _TAIL.fullmatch(body, bounds[-1]):
            return bounds
    raise Invalid(Problem(name, REPEATED))


def _evenly_spaced(body: bytes, start: int, entries: Sequence[Raw]) -> array[int] | None:
    """Find entries that are all separated by the same text, as serializers write them."""
    lengths = list(map(len, entries))
    comma = _COMMA.match(body, start + lengths[0])
    between = comma[0] if comma else b""
    if not body.startswith(between.join(entries), start):
        return None
    steps = [len(between)] * (2 * len(entries))
    steps[0] = start
    steps[1::2] = lengths
    return array("I", accumulate(steps))


def _walk(body: bytes, start: int, entries: Sequence[Raw]) -> array[int] | None:
    bounds = array("I")
    for raw in entries:
        end = start + len(raw)
        if body[start:end] != bytes(raw):
            return None
        bounds.extend((start, end))
        comma = _COMMA.match(body, end)
        start = comma.end() if comma else end
    return bounds


# --- reading the body ------------------------------------------------------------------------------------------------

#: Bodies up to this may hold as many entries as they can before they are counted; 60 bytes of memory for 2 of the body.
_COUNT_AFTERWARDS_BYTES = 4_000_000
#: A type that stops at the first entry too many has a field for each; with so many it would take longer than it saves.
_COUNTABLE = 100_000


def _read_entries(body: bytes, name: str, max_entries: int) -> Sequence[Raw]:
    entries_type = _up_to(max_entries) if len(body) > _COUNT_AFTERWARDS_BYTES else list[Raw]
    try:
        entries = _present(decode(_body_decoder(name, entries_type), body).entries)
    except msgspec.ValidationError:
        found = list(_body_problems(body, name, max_entries))
        raise Invalid(*found or [Problem(name, REPEATED)]) from None
    if problem := count_problem(len(entries), max_entries):
        raise Invalid(Problem(name, problem))
    return entries


@cache
def _up_to(most: int) -> Any:
    """Create a type for an array that is rejected as soon as it is too long; a list would be built first."""
    if most > _COUNTABLE:
        return list[Raw]
    slots: list[Any] = [(f"e{i}", Raw, None) for i in range(most)]
    return msgspec.defstruct("Entries", slots, array_like=True, forbid_unknown_fields=True)


def _present(entries: Any) -> Sequence[Raw]:
    if isinstance(entries, list):
        return entries
    return [entry for entry in msgspec.structs.astuple(entries) if entry is not None]


@cache
def _body_decoder(name: str, entries_type: Any, strict: bool = True) -> msgspec.json.Decoder[Any]:
    """Decode an object with one member, ``entries``; if its type is Raw it may be missing."""
    entries: Any = ("entries", Raw, Raw()) if entries_type is Raw else ("entries", entries_type)
    body = msgspec.defstruct("Body", [entries], rename={"entries": name}, forbid_unknown_fields=strict)
    return msgspec.json.Decoder(body)


def _body_problems(body: bytes, name: str, max_entries: int) -> Iterator[Problem]:
    """Explain why a body of valid JSON is not a batch.  Only the first unknown member is named of maybe a million."""
    try:
        sent = bytes(decode(_body_decoder(name, Raw, strict=False), body).entries)
    except msgspec.ValidationError:
        yield Problem("body", NOT_A_DICT)
        return
    if problem := _list_problem(sent, max_entries):
        yield Problem(name, problem)
    try:
        decode(_body_decoder(name, Raw), body)
    except msgspec.ValidationError as error:
        unknown = UNKNOWN_MEMBER.search(str(error))
        yield from problems({unknown[1] if unknown else "body": [EXTRA]})


#: The parser's message about an unknown member.
UNKNOWN_MEMBER = re.compile(r"unknown field `(.*)`", re.DOTALL)


def _list_problem(sent: bytes, max_entries: int) -> str | None:
    if not sent.startswith(b"["):
        return {b"": REQUIRED, b"null": NULL}.get(sent, NOT_A_LIST)
    entries = list_up_to(sent, max_entries)
    return count_problem(max_entries + 1 if entries is None else len(entries), max_entries)


#: An escape that is the first half of a character, without the second; what precedes it is no backslash of its own.
_LONE_SURROGATE = re.compile(rb"(?<!\\)(?:\\\\)*\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")


def decode(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """Decode JSON from bytes that may be anything.

    Raises Invalid unless they are JSON, and msgspec.ValidationError if they are, but not of the decoder's type.
    """
    try:
        if not body.isascii():
            body.decode()  # msgspec does not look into the strings that it passes on or skips
        return decoder.decode(body)
    except UnicodeDecodeError as error:
        raise Invalid(Problem("body", f"not valid UTF-8 (byte {error.start})")) from None
    except RecursionError:
        raise Invalid(Problem("body", TOO_DEEP)) from None
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        if lone := _LONE_SURROGATE.search(body):
            reason = f"half of a surrogate pair in a string (byte {lone.start()})"
        raise Invalid(Problem("body", f"not valid JSON: {reason[0].lower()}{reason[1:]}")) from None
