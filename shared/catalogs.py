"""The items, variations and item groups of a catalog, read.  Writing them is a commit's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from shared import scripts, views
from shared.codec import STAMP_DIGITS
from shared.effects import LIST_LENGTH, PATCHED_BESIDE, View, Wants
from shared.keys import CatalogKeys, link_prefix, split_link
from shared.leases import Generations
from shared.model import NO_SECTION, Kind
from shared.store import Store

T = TypeVar("T")

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
    """The entries of one catalog.  Every call is one to three round trips; raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._keys = CatalogKeys(catalog_key)

    def view(self, kind: Kind, section: str, generations: Generations, wanted: Wants) -> View:
        """Read what the applier wants to see, in one round trip; nothing, if it wants nothing."""
        keys, view = self._keys, View()
        live, written, of_items = generations
        entries, index = keys.entries(kind, section, written), keys.index(kind, section, written)
        items = keys.index(Kind.ITEMS, section, of_items)
        reads: list[tuple[scripts.Command, Callable[[Any], None]]] = []
        if wanted.values:
            reads.append((("HMGET", entries, *wanted.values), partial(views.take_values, view, wanted.values)))
        reads += self._reads_of_patches(kind, section, written, wanted.values, partial(views.take_patches, view))
        if wanted.items:
            reads.append((("ZMSCORE", items, *wanted.items), partial(views.take_items, view, wanted.items)))
        if wanted.item_count:
            reads.append((("ZCARD", items), partial(setattr, view, "item_count")))
        if wanted.all_ids:
            reads.append((("ZRANGE", index, 0, -1), partial(views.take_all_ids, view)))
        if wanted.present:
            reads.append((("ZMSCORE", index, *wanted.present), partial(views.take_present, view, wanted.present)))
        if wanted.seen:
            seen = keys.index(kind, section, live)
            reads.append((("ZMSCORE", seen, *wanted.seen), partial(views.take_seen, view, wanted.seen)))
        if wanted.seen_values:
            seen = keys.entries(kind, section, live)
            reads.append(
                (("HMGET", seen, *wanted.seen_values), partial(views.take_seen_values, view, wanted.seen_values))
            )
        reads += self._reads_of_patches(kind, section, live, wanted.seen_values, partial(views.patch_seen, view))
        reads += self._reads_of_links(section, written, wanted, view)
        replies = scripts.run(self._client, *(command for command, _ in reads))
        for (_, take), reply in zip(reads, replies, strict=True):
            take(reply)
        return view

    def _reads_of_patches(
        self, kind: Kind, section: str, generation: int, ids: Sequence[str], take: Callable[..., None]
    ) -> Iterator[tuple[scripts.Command, Callable[[Any], None]]]:
        """Read what was PATCHed, behind the values: nobody else writes meanwhile, so both belong together."""
        if ids and kind in PATCHED_BESIDE:
            yield ("HMGET", self._keys.patches(kind, section, generation), *ids), partial(take, ids)

    def view_of_patches(self, kind: Kind, section: str, generations: Generations, ids: Sequence[str]) -> View:
        """Read what was PATCHed of entries, and the values of those only of which nothing was."""
        view, patches = View(), self._keys.patches(kind, section, generations.written)
        [some] = scripts.run(self._client, ("EXISTS", patches))
        if some:
            [found] = scripts.run(self._client, ("HMGET", patches, *ids))
            views.take_patches(view, ids, found)
        others = [id_ for id_ in ids if id_ not in view.patches]
        if others:
            self.look_closer(view, kind, section, generations, others)
        return view

    def look_closer(self, view: View, kind: Kind, section: str, generations: Generations, ids: Sequence[str]) -> None:
        """Add the values of entries to a view that has what was PATCHed of them."""
        entries = self._keys.entries(kind, section, generations.written)
        [values] = scripts.run(self._client, ("HMGET", entries, *ids))
        views.take_more_values(view, ids, values)

    def _reads_of_links(
        self, section: str, generation: int, wanted: Wants, view: View
    ) -> Iterator[tuple[scripts.Command, Callable[[Any], None]]]:
        keys = self._keys
        if wanted.links:
            # Some of those found may be ones that stay: so there is always something to delete if that is not all.
            limit = LIST_LENGTH + len(wanted.variations)
            prefixes = list(map(link_prefix, dict.fromkeys(wanted.links)))
            for first in range(0, len(prefixes), LINKED_ITEMS):
                args: list[scripts.Argument] = [limit, *prefixes[first : first + LINKED_ITEMS]]
                command = scripts.READ_LINKS.command((keys.links(section, generation),), args)
                yield command, partial(views.take_links, view, limit)
        if wanted.variations:
            variations = keys.entries(Kind.VARIATIONS, section, generation)
            yield ("HMGET", variations, *wanted.variations), partial(views.take_variations, view, wanted.variations)

    def size(self, kind: Kind, section: str, generation: int) -> int:
        """Count the entries of a generation."""
        [size] = scripts.run(self._client, ("ZCARD", self._keys.index(kind, section, generation)))
        return int(size)

    def left_out(self, kind: Kind, section: str, generations: Generations, *, offset: int, size: int) -> list[str]:
        """Look at a page of what readers see, and list the ids that are not in the generation being built."""
        live, built, _ = generations
        page = ("ZRANGE", self._keys.index(kind, section, live), offset, offset + size - 1)
        [ids] = scripts.run(self._client, page)
        if not ids:
            return []
        [scores] = scripts.run(self._client, ("ZMSCORE", self._keys.index(kind, section, built), *ids))
        return [id_.decode() for id_, score in zip(ids, scores, strict=True) if score is None]

    # -- for readers: from one generation, whole -------------------------------------------------------------------

    def get(self, kind: Kind, section: str, ids: Sequence[str]) -> list[Entry]:
        """Read entries by id, in the order of the ids; those that are not there are left out."""
        return self._settled(section, lambda generation: self._entries(kind, section, generation, ids))

    def page(self, kind: Kind, section: str, *, offset: int, size: int) -> tuple[list[Entry], int]:
        """Read a page of all entries, ordered by the bytes of their ids, and their number."""

        def read(generation: int) -> tuple[list[Entry], int]:
            index = self._keys.index(kind, section, generation)
            commands = ("ZRANGE", index, offset, offset + size - 1), ("ZCARD", index)
            ids, total = self._run(section, generation, *commands)
            return self._entries(kind, section, generation, _texts(ids)), total

        return self._settled(section, read)

    def page_after(self, kind: Kind, section: str, *, after: str | None, size: int) -> list[Entry]:
        """Read the entries that follow an id in the order of `page`; from the start without one."""
        return self._page_between(kind, section, "-" if after is None else "(" + after, "+", size)

    def page_of_prefix(self, kind: Kind, section: str, *, prefix: str, after: str | None, size: int) -> list[Entry]:
        """Read the entries whose ids begin with a text, in the order of `page`; if an id is given, those after it."""
        start = "-" if not prefix else f"[{prefix}"
        end = "+" if not prefix else b"(%s\xff" % prefix.encode()
        return self._page_between(kind, section, start if after is None else f"({after}", end, size)

    def _page_between(self, kind: Kind, section: str, start: str, end: str | bytes, size: int) -> list[Entry]:
        def read(generation: int) -> list[Entry]:
            index = self._keys.index(kind, section, generation)
            [ids] = self._run(section, generation, ("ZRANGE", index, start, end, "BYLEX", "LIMIT", 0, size))
            return self._entries(kind, section, generation, _texts(ids))

        return self._settled(section, read)

    def sections(self) -> list[str]:
        """List the sections that hold, or held, anything."""
        [names] = scripts.run(self._client, ("HKEYS", self._keys.sections))
        return sorted(name.decode() for name in names if name.decode() != NO_SECTION)

    def item_groups(self) -> dict[str, bytes]:
        """Read the JSON of all item groups as of one moment, by id, in no order."""

        def read(generation: int) -> Any:
            groups = self._keys.entries(Kind.ITEM_GROUPS, NO_SECTION, generation)
            return self._run(NO_SECTION, generation, ("HGETALL", groups))[0]

        reply = self._settled(NO_SECTION, read)
        values = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
        return {id_.decode(): value[STAMP_DIGITS:] for id_, value in values.items()}

    def variation_ids(self, section: str, item_id: str) -> list[str]:
        """List the variations of an item, by id."""
        prefix = link_prefix(item_id)

        def read(generation: int) -> list[bytes]:
            links = self._keys.links(section, generation)
            command = ("ZRANGE", links, f"[{prefix}", b"(%s\xff" % prefix.encode(), "BYLEX")
            [found] = self._run(section, generation, command)
            return found  # type: ignore[no-any-return]

        return [split_link(link.decode())[1] for link in self._settled(section, read)]

    def _entries(self, kind: Kind, section: str, generation: int, ids: Sequence[str]) -> list[Entry]:
        if not ids:
            return []
        entries, patches = (name(kind, section, generation) for name in (self._keys.entries, self._keys.patches))
        if kind not in PATCHED_BESIDE:
            [values] = self._run(section, generation, ("HMGET", entries, *ids))
            return [_entry(id_, value) for id_, value in zip(ids, values, strict=True) if value is not None]
        # As of one moment: a patch belongs to what was there when it came, and goes when that is written anew.
        [(values, changes)] = self._run(section, generation, scripts.READ_ENTRIES.command((entries, patches), ids))
        found = zip(ids, values, changes, strict=True)
        return [_entry(id_, views.patched(value, change)) for id_, value, change in found if value is not None]

    def _settled(self, section: str, read: Callable[[int], T]) -> T:
        """Read from the generation that counts, and again from the next one if that took its place meanwhile.

        Most sections have but the first: what is read says which one counts, so that it need not be asked for before.
        """
        generation = 0
        while True:
            try:
                return read(generation)
            except _Replaced as replaced:
                generation = replaced.by

    def _run(self, section: str, generation: int, *commands: scripts.Command) -> list[Any]:
        """Read from a generation in one round trip; raises _Replaced if by the end of that it no longer counts."""
        *replies, now = scripts.run(self._client, *commands, ("HGET", self._keys.sections, section))
        if int(now or 0) != generation:
            raise _Replaced(int(now or 0))
        return replies


class _Replaced(Exception):
    """Another generation took the place of the one that was read, or had it before."""

    def __init__(self, by: int) -> None:
        self.by = by


def _texts(ids: Sequence[bytes]) -> list[str]:
    return [id_.decode() for id_ in ids]


def _entry(entry_id: str, value: bytes) -> Entry:
    return Entry(entry_id, int(value[:STAMP_DIGITS]), value[STAMP_DIGITS:])
