"""Read the items, variations and item groups of a catalog.  Only commits write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, zip_longest
from typing import Any, TypeVar

from shared.catalog import places, view_replies
from shared.catalog.effects import View, Wants
from shared.catalog.generations import Generations
from shared.catalog.pages import EntryPage, PageOf, StoredEntry
from shared.catalog.read_sizes import LongRead, ReadSizes
from shared.catalog.reading import Reading, read
from shared.catalog.successor import Successor
from shared.catalog.view_reads import ViewReads
from shared.codec import STAMP_DIGITS
from shared.keys import keys_of, link_prefix, split_link
from shared.model import NO_SECTION, Kind
from shared.store import scripts
from shared.store.client import Store
from shared.store.positions import position_in

T = TypeVar("T")

#: Most ids that one call looks up: no script takes many thousands.
MOST_IDS = 1000


class Catalog:
    """The entries of one catalog.  Every call is one to three round trips; raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str, sizes: ReadSizes | None = None) -> None:
        self._client = client
        self._catalog_key = catalog_key
        self._sizes = ReadSizes() if sizes is None else sizes
        self._keys = keys_of(catalog_key)
        #: Keys that had patches.
        self._patched: set[str] = set()

    def view(self, kind: Kind, section: str, generations: Generations, wanted: Wants) -> View:
        """Read what the applier wants, as `reading` does."""
        return read(self.reading(kind, section, generations, wanted), self.ask)

    def ask(self, commands: Sequence[scripts.Command]) -> list[Any]:
        """Send commands of a reading."""
        return scripts.run(self._client, *commands)

    def reading(self, kind: Kind, section: str, generations: Generations, wanted: Wants) -> Reading[View]:
        """Read what the applier wants, in few round trips: see `ViewReads`."""
        return ViewReads(self._keys, self._sizes).reading(kind, section, generations, wanted)

    def expect(self, kind: Kind, section: str, generations: Generations, length: float) -> None:
        """Note how long entries are that will be written, on average."""
        self._sizes.learn(self._keys.entries(kind, section, generations.written), length)

    def view_of_patches(self, kind: Kind, section: str, generations: Generations, ids: Sequence[str]) -> View:
        """Read the patches of entries, and the values of entries without patches only."""
        view, patches = View(), self._keys.patches(kind, section, generations.written)
        # Where some were seen there are likely more: not asking first saves a round trip.
        if patches in self._patched or scripts.run(self._client, ("EXISTS", patches))[0]:
            [found] = scripts.run(self._client, ("HMGET", patches, *ids))
            view_replies.take_patches(view, ids, found)
            self._patched.add(patches)
        if not all(map(view.patches.__contains__, ids)):
            others = [id_ for id_ in dict.fromkeys(ids) if id_ not in view.patches]
            self.look_closer(view, kind, section, generations, others)
        return view

    def look_closer(self, view: View, kind: Kind, section: str, generations: Generations, ids: Sequence[str]) -> None:
        """Add the values of entries to a view that has their patches."""
        entries = self._keys.entries(kind, section, generations.written)
        values = LongRead(entries, ids, partial(view_replies.take_more_values, view))
        while values.ids:
            [found] = scripts.run(self._client, values.next(self._sizes))
            values.take(self._sizes, found)

    def size(self, kind: Kind, section: str, generation: int) -> int:
        """Count the entries of a generation."""
        [size] = scripts.run(self._client, ("ZCARD", self._keys.index(kind, section, generation)))
        return int(size)

    def successor(self, kind: Kind, section: str, generations: Generations) -> Successor:
        """Return the generation of a kind that is to take the place of the one that readers see."""
        return Successor(self._client, self._keys, kind, section, generations)

    # -- for readers: from one generation, whole -------------------------------------------------------------------

    def get(self, kind: Kind, section: str, ids: Sequence[str]) -> list[StoredEntry]:
        """Read entries by id, in the order of the ids; unknown ids are left out."""
        return self._settled(section, lambda generation: self._entries(kind, section, generation, ids))

    def page(self, kind: Kind, section: str, *, offset: int, size: int, with_position: bool = False) -> EntryPage:
        """Read a page of all entries, ordered by the bytes of their ids, as of one moment.

        ``with_position``: with the position in the change feed at that moment.
        """
        which = PageOf(b"", b"", offset, size, with_position)
        return self._settled(section, lambda generation: self._page(kind, section, generation, which))

    def page_from(
        self, kind: Kind, section: str, place: bytes, *, size: int, prefix: str = "", max_bytes: int = 0
    ) -> EntryPage:
        """Read a page from a place on, in the same order; with a prefix, only entries whose ids begin with it.

        ``max_bytes``: it ends before there are more bytes of entries than that, but has one entry at least.
        """
        start = max(place, prefix.encode())
        stop = b"(%s\xff" % prefix.encode() if prefix else b"+"
        which = PageOf(b"[" + start if start else b"-", stop, 0, size, with_position=False, bytes=max_bytes)
        return self._settled(section, lambda generation: self._page(kind, section, generation, which))

    def _page(self, kind: Kind, section: str, generation: int, which: PageOf) -> EntryPage:
        names = (self._keys.entries, self._keys.index, self._keys.patches)
        entries, index, patches = (name(kind, section, generation) for name in names)
        command = scripts.READ_PAGE.command(
            self._keys.partition,
            entries=entries,
            index=index,
            patches=patches,
            generation=generation,
            section=_section_of(kind, section),
            start=which.start,
            stop=which.stop,
            offset=which.offset,
            size=which.size,
            bytes=which.bytes,
            with_position=int(which.with_position),
        )
        ids, values, changes, following, total, ended = self._replied(generation, command)
        position = position_in(self._client, self._catalog_key, *ended) if ended else None
        next_place = None if following is None else places.between(ids[-1], following)
        found = found_entries([id_.decode() for id_ in ids], values, changes)
        return EntryPage(list(found), total, next_place, position)

    def sections(self) -> list[str]:
        """List the sections that have, or had, entries."""
        [names] = scripts.run(self._client, ("HKEYS", self._keys.sections))
        return sorted(name.decode() for name in names if name.decode() != NO_SECTION)

    def item_groups(self) -> dict[str, bytes]:
        """Read the JSON of all item groups as of one moment, by id, unordered."""

        def read(generation: int) -> Any:
            groups = self._keys.entries(Kind.ITEM_GROUPS, NO_SECTION, generation)
            return self._run(NO_SECTION, generation, ("HGETALL", groups))[0]

        reply = self._settled(NO_SECTION, read)
        values = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
        return {id_.decode(): value[STAMP_DIGITS:] for id_, value in values.items()}

    def variation_ids(self, section: str, *item_ids: str) -> list[str]:
        """List the variations of items, by id."""
        prefixes = list(map(link_prefix, item_ids))

        def read(generation: int) -> list[list[bytes]]:
            links = self._keys.links(section, generation)
            ranges = ((f"[{prefix}", b"(%s\xff" % prefix.encode()) for prefix in prefixes)
            return self._run(section, generation, *(("ZRANGE", links, *each, "BYLEX") for each in ranges))

        found = chain.from_iterable(self._settled(section, read))
        return sorted((split_link(link.decode())[1] for link in found), key=str.encode)

    def _entries(self, kind: Kind, section: str, generation: int, ids: Sequence[str]) -> list[StoredEntry]:
        entries, patches = (name(kind, section, generation) for name in (self._keys.entries, self._keys.patches))
        found: list[StoredEntry] = []
        for first in range(0, len(ids), MOST_IDS):
            some = ids[first : first + MOST_IDS]
            together = scripts.READ_ENTRIES.command(
                sections=self._keys.sections,
                entries=entries,
                patches=patches,
                generation=generation,
                section=_section_of(kind, section),
                ids=some,
            )
            found += found_entries(some, *self._replied(generation, together))
        return found

    def _settled(self, section: str, read: Callable[[int], T]) -> T:
        """Read from the current generation, and again if another replaced it meanwhile.

        Most sections only ever have the first: the reply names the current one, so no extra round trip is needed.
        """
        generation = 0
        while True:
            try:
                return read(generation)
            except _Replaced as replaced:
                generation = replaced.by

    def _replied(self, generation: int, command: scripts.Command) -> list[Any]:
        """Run a reading script, whose reply names the current generation first; raises _Replaced if it is another."""
        [[now, *reply]] = scripts.run(self._client, command)
        if now != generation:
            raise _Replaced(now)
        return reply  # type: ignore[no-any-return]

    def _run(self, section: str, generation: int, *commands: scripts.Command) -> list[Any]:
        """Read from a generation in one round trip; raises _Replaced if it is not current any more by the end."""
        *replies, now = scripts.run(self._client, *commands, ("HGET", self._keys.sections, section))
        if int(now or 0) != generation:
            raise _Replaced(int(now or 0))
        return replies


def ask_together(catalogs: Sequence[Catalog], asked: Sequence[Sequence[scripts.Command]]) -> list[list[Any]]:
    """Send commands of several catalogs' readings in one round trip (in a cluster: one to each server)."""
    replies = iter(scripts.run_apart(catalogs[0]._client, *chain.from_iterable(asked)))
    return [[next(replies) for _ in commands] for commands in asked]


class _Replaced(Exception):
    """The generation that was read is not the current one."""

    def __init__(self, by: int) -> None:
        self.by = by


def _section_of(kind: Kind, section: str) -> str:
    """Return the section under which the generation of a kind is recorded."""
    return NO_SECTION if kind is Kind.ITEM_GROUPS else section


def found_entries(
    ids: Sequence[str], values: Sequence[bytes | None], patches: Sequence[bytes | None]
) -> Iterator[StoredEntry]:
    """Combine values and patches into the existing entries; the list of patches may be empty."""
    for id_, value, patch in zip_longest(ids, values, patches):
        if value is not None:
            whole = view_replies.patched(value, patch)
            yield StoredEntry(id_, int(whole[:STAMP_DIGITS]), whole[STAMP_DIGITS:])
