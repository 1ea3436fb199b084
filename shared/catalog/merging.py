"""Merge PATCHes into stored entries.  Numbers and text keep the bytes that were sent."""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from stringzilla import contains

from shared.catalog.equality import same
from shared.errors import TaskFailed

Fields = dict[str, msgspec.Raw]

decode_fields = msgspec.json.Decoder(Fields).decode
encode_fields = msgspec.json.Encoder().encode
decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
#: Numbers become decimals, to be compared exactly and not as the nearest doubles.
_decode_any = msgspec.json.Decoder(float_hook=Decimal).decode

_NULL_TEXT = b"null"
NULL = msgspec.Raw(_NULL_TEXT)
#: Beside an item it says that its variations changed.
NO_PATCH = b"{}"
_EMPTY_OBJECT = msgspec.Raw(NO_PATCH)
_EMPTY_LIST = msgspec.Raw(b"[]")


def merge(stored: Fields, sent: Fields, *, max_data_bytes: int | None = None) -> bool:
    """Change the fields of a stored entry as a PATCH says; returns whether anything changed.

    A top-level field replaces, null removes it; ``data`` is merged key by key, one level.  Raises TaskFailed if
    ``key:add`` or ``key:remove`` meets something that is no list, or ``data`` becomes too long.
    """
    changed = False
    for name, value in sent.items():
        if name == "data" and value != NULL:
            changed |= _merge_data(stored, value, max_data_bytes)
        else:
            changed |= _replace(stored, name, value)
    return changed


def lay_over(entry: bytes, patch: bytes) -> bytes:
    """Merge a PATCH without list edits into an entry."""
    if patch == NO_PATCH:
        return entry
    fields = decode_fields(entry)
    merge(fields, decode_fields(patch))
    return encode_fields(fields)


def composed(first: bytes, second: bytes) -> bytes:
    """Compose two PATCHes without list edits into one with the effect of both in order."""
    fields, later = decode_fields(first), decode_fields(second)
    if "data" in fields and "data" in later:
        later["data"] = msgspec.Raw(encode_fields(decode_fields(fields["data"]) | decode_fields(later["data"])))
    return encode_fields(fields | later)


def overwrite(stored: Fields, sent: Fields) -> bool:
    """Replace the fields of a stored entry that were sent, each whole; null removes.  Returns whether any changed."""
    changed = False
    for name, value in sent.items():
        changed |= _replace(stored, name, value)
    return changed


def may_have_nulls(text: bytes) -> bool:
    """Return whether the bytes of entries may contain a null."""
    return bool(contains(text, _NULL_TEXT))


def without_nulls(entry: bytes) -> bytes:
    """Drop the top-level fields that are null: in a PUT they count as absent."""
    if not may_have_nulls(entry):
        return entry
    fields = decode_fields(entry)
    kept = {name: value for name, value in fields.items() if value != NULL}
    return entry if len(kept) == len(fields) else encode_fields(kept)


def _replace(fields: Fields, name: str, value: msgspec.Raw) -> bool:
    if value == NULL:
        return fields.pop(name, None) is not None
    before = fields.get(name)
    if before == value or (before is not None and same(bytes(before), bytes(value))):
        return False
    fields[name] = value
    return True


def _merge_data(stored: Fields, sent: msgspec.Raw, max_bytes: int | None) -> bool:
    data = decode_fields(stored.get("data", _EMPTY_OBJECT))
    changed = "data" not in stored
    for name, value in decode_fields(sent).items():
        key, colon, edit = name.rpartition(":")
        if colon and edit in ("add", "remove"):
            changed |= _edit_list(data, key, edit, value)
        else:
            changed |= _replace(data, name, value)
    if changed:
        merged = encode_fields(data)
        if max_bytes is not None and len(merged) > max_bytes:
            raise TaskFailed(f"data would have {len(merged)} bytes of JSON, more than the {max_bytes} it may have")
        stored["data"] = msgspec.Raw(merged)
    return changed


def _edit_list(data: Fields, key: str, edit: str, value: msgspec.Raw) -> bool:
    """Add to, or remove from, the list under a key; by JSON equality, no duplicates, none or null is an empty list."""
    try:
        before = decode_list(_EMPTY_LIST if data.get(key, NULL) == NULL else data[key])
    except msgspec.ValidationError:
        raise TaskFailed(f"data.{key}:{edit} needs a list under {key!r}, but there is something else") from None
    elements = decode_list(value)
    known = {identity_of(element) for element in before}
    if edit == "add":
        after = list(before)
        for element in elements:
            identity = identity_of(element)
            if identity not in known:
                known.add(identity)
                after.append(element)
    else:
        gone = {identity_of(element) for element in elements}
        after = [element for element in before if identity_of(element) not in gone]
    if len(after) == len(before):
        return False
    data[key] = msgspec.Raw(encode_fields(after))
    return True


def identity_of(element: msgspec.Raw) -> Hashable:
    """Make an element of a list comparable by JSON equality."""
    try:
        return _identity(_decode_any(element))
    except (msgspec.DecodeError, InvalidOperation):
        # A number too great even for decimals: the same only as what is written the same.
        return bytes(element)


def _identity(value: Any) -> Hashable:
    """Convert a value for comparison as JSON: true is not 1, 1 is 1.0, objects have no order."""
    match value:
        case bool():
            return (bool, value)
        case list():
            return (list, tuple(map(_identity, value)))
        case dict():
            return (dict, frozenset((name, _identity(member)) for name, member in value.items()))
        case _:
            return value  # type: ignore[no-any-return]  # a number, a text, or null
