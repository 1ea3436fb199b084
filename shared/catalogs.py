"""The items, variations and item groups of a catalog, read.  Writing them is a commit's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from shared import scripts
from shared.codec import STAMP_DIGITS
from shared.effects import LIST_LENGTH, View, Wants
from shared.keys import CatalogKeys, link_prefix, split_link
from shared.model import NO_SECTION, Kind
from shared.store import Store

#: Items whose variations one call looks for: 5 µs each, so that none holds the server up.
LINKED_ITEMS = 400


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored item, variation or item group."""

    id: str
    updated_ms: int
    #: The JSON object, as it was sent or merged.
    body: bytes


class Catalog:
    """The entries of one catalog.  Every call is one or two round trips; raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._keys = CatalogKeys(catalog_key)

    def view(self, kind: Kind, section: str, generation: int, wanted: Wants) -> View:
        """Read what the applier wants to see, in one round trip; nothing, if it wants nothing."""
        keys, view = self._keys, View()
        entries, index = keys.entries(kind, section, generation), keys.index(kind, section, generation)
        items = keys.index(Kind.ITEMS, section, generation)
        reads: list[tuple[scripts.Command, Callable[[Any], None]]] = []
        if wanted.values:
            reads.append((("HMGET", entries, *wanted.values), partial(_take_values, view, wanted.values)))
        if wanted.items:
            reads.append((("ZMSCORE", items, *wanted.items), partial(_take_items, view, wanted.items)))
        if wanted.item_count:
            reads.append((("ZCARD", items), partial(setattr, view, "item_count")))
        if wanted.all_ids:
            reads.append((("ZRANGE", index, 0, -1), partial(_take_all_ids, view)))
        if wanted.links:
            # Some of those found may be ones that stay: so there is always something to delete if that is not all.
            limit = LIST_LENGTH + len(wanted.variations)
            prefixes = list(map(link_prefix, dict.fromkeys(wanted.links)))
            for first in range(0, len(prefixes), LINKED_ITEMS):
                args: list[scripts.Argument] = [limit, *prefixes[first : first + LINKED_ITEMS]]
                command = scripts.READ_LINKS.command((keys.links(section, generation),), args)
                reads.append((command, partial(_take_links, view, limit)))
        if wanted.variations:
            variations = keys.entries(Kind.VARIATIONS, section, generation)
            reads.append(
                (("HMGET", variations, *wanted.variations), partial(_take_variations, view, wanted.variations))
            )
        replies = scripts.run(self._client, *(command for command, _ in reads))
        for (_, take), reply in zip(reads, replies, strict=True):
            take(reply)
        return view

    def get(self, kind: Kind, section: str, ids: Sequence[str]) -> list[Entry]:
        """Read entries by id, in the order of the ids; those that are not there are left out."""
        if not ids:
            return []
        generation = self._generation(section)
        [values] = scripts.run(self._client, ("HMGET", self._keys.entries(kind, section, generation), *ids))
        return [_entry(id_, value) for id_, value in zip(ids, values, strict=True) if value is not None]

    def page(self, kind: Kind, section: str, *, offset: int, size: int) -> tuple[list[Entry], int]:
        """Read a page of all entries, ordered by the bytes of their ids, and their number."""
        generation = self._generation(section)
        index = self._keys.index(kind, section, generation)
        ids, total = scripts.run(self._client, ("ZRANGE", index, offset, offset + size - 1), ("ZCARD", index))
        return self._entries(kind, section, generation, ids), total

    def page_after(self, kind: Kind, section: str, *, after: str | None, size: int) -> list[Entry]:
        """Read the entries that follow an id in the order of `page`; from the start without one."""
        generation = self._generation(section)
        start = "-" if after is None else "(" + after
        index = self._keys.index(kind, section, generation)
        [ids] = scripts.run(self._client, ("ZRANGE", index, start, "+", "BYLEX", "LIMIT", 0, size))
        return self._entries(kind, section, generation, ids)

    def page_of_prefix(self, kind: Kind, section: str, *, prefix: str, after: str | None, size: int) -> list[Entry]:
        """Read the entries whose ids begin with a text, in the order of `page`; if an id is given, those after it."""
        generation = self._generation(section)
        start = "-" if not prefix else f"[{prefix}"
        end = "+" if not prefix else b"(%s\xff" % prefix.encode()
        index = self._keys.index(kind, section, generation)
        command = ("ZRANGE", index, start if after is None else f"({after}", end, "BYLEX", "LIMIT", 0, size)
        [ids] = scripts.run(self._client, command)
        return self._entries(kind, section, generation, ids)

    def sections(self) -> list[str]:
        """List the sections that hold, or held, anything."""
        [names] = scripts.run(self._client, ("HKEYS", self._keys.sections))
        return sorted(name.decode() for name in names)

    def item_groups(self) -> dict[str, bytes]:
        """Read the JSON of all item groups as of one moment, by id, in no order."""
        [reply] = scripts.run(self._client, ("HGETALL", self._keys.item_groups))
        values = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
        return {id_.decode(): value[STAMP_DIGITS:] for id_, value in values.items()}

    def variation_ids(self, section: str, item_id: str) -> list[str]:
        """List the variations of an item, by id."""
        prefix = link_prefix(item_id)
        links_key = self._keys.links(section, self._generation(section))
        [links] = scripts.run(self._client, ("ZRANGE", links_key, f"[{prefix}", b"(%s\xff" % prefix.encode(), "BYLEX"))
        return [split_link(link.decode())[1] for link in links]

    def _generation(self, section: str) -> int:
        if section == NO_SECTION:
            return 0
        [generation] = scripts.run(self._client, ("HGET", self._keys.sections, section))
        return int(generation or 0)

    def _entries(self, kind: Kind, section: str, generation: int, ids: Sequence[bytes]) -> list[Entry]:
        if not ids:
            return []
        [values] = scripts.run(self._client, ("HMGET", self._keys.entries(kind, section, generation), *ids))
        return [_entry(id_.decode(), value) for id_, value in zip(ids, values, strict=True) if value is not None]


def _take_values(view: View, ids: Sequence[str], values: Sequence[bytes | None]) -> None:
    view.values = _unstamped(ids, values)


def _take_variations(view: View, ids: Sequence[str], values: Sequence[bytes | None]) -> None:
    view.variations = _unstamped(ids, values)


def _unstamped(ids: Sequence[str], values: Sequence[bytes | None]) -> dict[str, bytes]:
    return {id_: value[STAMP_DIGITS:] for id_, value in zip(ids, values, strict=True) if value is not None}


def _take_items(view: View, ids: Sequence[str], scores: Sequence[float | None]) -> None:
    view.items = {id_ for id_, score in zip(ids, scores, strict=True) if score is not None}


def _take_all_ids(view: View, ids: Sequence[bytes]) -> None:
    view.all_ids = {id_.decode() for id_ in ids}


def _take_links(view: View, limit: int, reply: Sequence[Any]) -> None:
    complete, *links = reply
    # They come in the order of the items: whatever follows a cut is left for the next page.
    if not view.links_complete or (links and sum(map(len, view.links.values())) >= limit):
        view.links_complete = False
        return
    view.links_complete = bool(complete)
    for link in links:
        item_id, variation_id = split_link(link.decode())
        view.links.setdefault(item_id, []).append(variation_id)


def _entry(entry_id: str, value: bytes) -> Entry:
    return Entry(entry_id, int(value[:STAMP_DIGITS]), value[STAMP_DIGITS:])
