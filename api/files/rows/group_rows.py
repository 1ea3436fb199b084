"""Join the rows of an item group that a file names once for each of its parents."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from api.entries.json_body import text_of
from api.files.rows.lines import BrokenFile, Row

#: Most bytes of all rows together: groups are held in memory as a whole, by readers too.
GROUPS_MAX_BYTES = 64 * 1024 * 1024

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_list = msgspec.json.Decoder(list[Raw] | None).decode
_encode = msgspec.json.Encoder().encode


def join_parents(rows: Iterable[Row]) -> tuple[list[Row], list[str]]:
    """Join the rows that give a group one more parent; leave all others as they are.

    Returns the rows, and the parents that are no groups of the file.  Raises BrokenFile past GROUPS_MAX_BYTES.
    """
    joined: list[Row | None] = []
    #: Id of a group: the index of its last row, and its parents.
    seen: dict[bytes, tuple[int, list[Raw]]] = {}
    size = 0
    for row in rows:
        line, entry, _ = row
        size += len(entry)
        if size > GROUPS_MAX_BYTES:
            raise BrokenFile(f"item groups of more than {GROUPS_MAX_BYTES} bytes", line)
        found = _placed(entry)
        if found is not None:
            members, group, parents = found
            before = seen.get(group)
            if parents is None:
                # It says that it has none.
                parents = []
            elif before is not None and (more := [one for one in parents if one not in before[1]]):
                joined[before[0]] = None
                parents = before[1] + more
                row = line, Raw(_encode(members | {"parent_ids": parents})), None
            elif before is not None and before[1]:
                row = line, Raw(_encode(members | {"parent_ids": before[1]})), None
                parents = before[1]
            seen[group] = len(joined), parents
        joined.append(row)
    strangers = {bytes(parent) for _, parents in seen.values() for parent in parents} - seen.keys()
    return [row for row in joined if row is not None], sorted(filter(None, map(text_of, map(Raw, strangers))))


def _placed(entry: Raw) -> tuple[dict[str, Raw], bytes, list[Raw] | None] | None:
    """Read an entry's members, id and parents, None for null; None if it breaks the rules."""
    try:
        members = _members(entry)
        parents = members.get("parent_ids")
        return members, bytes(members["id"]), [] if parents is None else _list(parents)
    except (msgspec.DecodeError, RecursionError, KeyError):
        return None
