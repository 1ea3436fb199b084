"""Edits of lists inside ``data`` whose result would hang on the order of its members."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from api.schemas.fields import EDIT_SUFFIXES
from shared.catalog.merging import decode_list, identity_of

BESIDE_ITS_LIST = "it edits the list that is set beside it"
IN_BOTH = "a value cannot be added and removed at once"

_members = msgspec.json.Decoder(dict[str, Raw] | None).decode


def clashes(value: Raw) -> dict[str, str]:
    """Say by its key which edit in an object cannot stand beside another member, and why.

    A list is set or edited, not both; and no value is both added to it and removed from it, by JSON equality.
    """
    members = _members(value) or {}
    found = {}
    for key in members:
        name, edit = key.rpartition(":")[::2]
        if not key.endswith(EDIT_SUFFIXES):
            continue
        if name in members:
            found[key] = BESIDE_ITS_LIST
        elif edit == "remove" and _have_one_in_common(members.get(f"{name}:add"), members[key]):
            found[key] = IN_BOTH
    return found


def _have_one_in_common(added: Raw | None, removed: Raw) -> bool:
    if added is None or not (bytes(added).startswith(b"[") and bytes(removed).startswith(b"[")):
        return False
    return not {*map(identity_of, decode_list(added))}.isdisjoint(map(identity_of, decode_list(removed)))
