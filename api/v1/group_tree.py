"""Build V1's tree of all item groups of a catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import Raw

_NO_DATA = Raw(b"{}")


class StoredGroup(msgspec.Struct):
    """An item group as it is stored."""

    id: str
    name: Raw
    parent_ids: list[str] = []
    data: Raw = _NO_DATA


decode_group = msgspec.json.Decoder(StoredGroup).decode
_encode = msgspec.json.Encoder().encode


class GroupTree:
    """A tree with every group once: below the first of its existing parents, or at the top.

    In a circle of groups, the one with the smallest id is at the top.  Siblings are ordered by id.
    """

    def __init__(self, bodies: Mapping[str, bytes]) -> None:
        ordered = sorted(bodies, key=str.encode)
        self._groups = {group_id: decode_group(bodies[group_id]) for group_id in ordered}
        parents = self._parents()
        self._children: dict[str | None, list[str]] = {}
        for group_id in ordered:
            self._children.setdefault(parents[group_id], []).append(group_id)

    def __len__(self) -> int:
        return len(self._groups)

    def __contains__(self, group_id: str) -> bool:
        return group_id in self._groups

    def roots(self) -> list[str]:
        """List the groups at the top."""
        return self._children.get(None, [])

    def write(self, roots: Iterable[str]) -> tuple[bytes, int]:
        """Write groups with all below them as a JSON list; returns it and how many groups it holds.

        Without recursion: a chain of parents may be as long as there are groups.
        """
        parts, count = [b"["], 0
        levels: list[Iterator[str]] = [iter(roots)]
        while levels:
            group_id = next(levels[-1], None)
            if group_id is None:
                levels.pop()
                parts.append(b"]}" if levels else b"]")
                continue
            if parts[-1] == b"]}":
                parts.append(b",")
            group = self._groups[group_id]
            head = (_encode(group_id), bytes(group.name), bytes(group.data))
            parts.append(b'{"id":%s,"name":%s,"data":%s,"children":[' % head)
            levels.append(iter(self._children.get(group_id, ())))
            count += 1
        return b"".join(parts), count

    def _parents(self) -> dict[str, str | None]:
        groups = self._groups
        parents: dict[str, str | None] = {
            group_id: next((one for one in group.parent_ids if one in groups and one != group_id), None)
            for group_id, group in groups.items()
        }
        settled: set[str] = set()
        for group_id in groups:
            path: dict[str, None] = {}
            at: str | None = group_id
            while at is not None and at not in settled and at not in path:
                path[at] = None
                at = parents[at]
            if at is not None and at in path:
                steps = list(path)
                parents[min(steps[steps.index(at) :], key=str.encode)] = None
            settled.update(path)
        return parents
