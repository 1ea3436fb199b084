"""What to ask the store for a view, and who takes the replies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import compress
from typing import Any

from shared.catalog import view_replies
from shared.catalog.effects import LIST_LENGTH, PATCHED_BESIDE, View, Wants
from shared.catalog.generations import Generations
from shared.catalog.read_sizes import LongRead, ReadSizes
from shared.catalog.reading import Reading
from shared.keys import CatalogKeys, link_prefix
from shared.model import Kind
from shared.store import scripts

#: A command, and what takes its reply.
_Read = tuple[scripts.Command, Callable[[Any], None]]
#: A key that may not be there, and what is read of it then.
_Perhaps = tuple[str, Callable[[str], Iterable[_Read]]]

#: Most items whose variations one call looks up: 5 µs each, so that no call blocks the server.
LINKED_ITEMS = 400


class ViewReads:
    """Reads what the applier wants of one catalog."""

    def __init__(self, keys: CatalogKeys, sizes: ReadSizes) -> None:
        self._keys = keys
        self._sizes = sizes

    def reading(self, kind: Kind, section: str, generations: Generations, wanted: Wants) -> Reading[View]:
        """Read a view, in few round trips: one more for patches and links, some for long entries."""
        view = View()
        wanted.values = list(dict.fromkeys(wanted.values))
        values = self._long_reads(kind, section, generations, wanted, view)
        reads: list[_Read] = [(each.next(self._sizes), partial(each.take, self._sizes)) for each in values]
        reads += self._reads(kind, section, generations, wanted, view)
        perhaps = list(self._reads_of_patches(kind, section, generations, wanted, view))
        if wanted.links:
            perhaps.append((self._keys.links(section, generations.written), partial(_reads_of_links, wanted, view)))
        if not reads and not perhaps:
            return view
        replies = yield [*(command for command, _ in reads), *(("EXISTS", key) for key, _ in perhaps)]
        for (_, note), reply in zip(reads, replies, strict=False):
            note(reply)
        for each in values:
            while each.ids:
                [found] = yield [each.next(self._sizes)]
                each.take(self._sizes, found)
        # Nobody else writes meanwhile, so what is read in several steps belongs together.
        there = compress(perhaps, replies[len(reads) :])
        if some := [read for key, reads_of in there for read in reads_of(key)]:
            found = yield [command for command, _ in some]
            for (_, take), reply in zip(some, found, strict=True):
                take(reply)
        return view

    def _long_reads(
        self, kind: Kind, section: str, generations: Generations, wanted: Wants, view: View
    ) -> list[LongRead]:
        live, written, _ = generations
        wants = (
            (kind, written, wanted.values, view_replies.take_values),
            (kind, live, wanted.seen_values, view_replies.take_seen_values),
            (Kind.VARIATIONS, written, wanted.variations, view_replies.take_variations),
        )
        name = self._keys.entries
        return [LongRead(name(of, section, at), ids, partial(take, view)) for of, at, ids, take in wants if ids]

    def _reads(self, kind: Kind, section: str, generations: Generations, wanted: Wants, view: View) -> Iterator[_Read]:
        keys = self._keys
        live, written, of_items = generations
        index, items = keys.index(kind, section, written), keys.index(Kind.ITEMS, section, of_items)
        if wanted.items:
            yield ("ZMSCORE", items, *wanted.items), partial(view_replies.take_items, view, wanted.items)
        if wanted.size:
            yield ("ZCARD", keys.index(kind, section, live)), partial(setattr, view, "size")
        if wanted.all_ids:
            yield ("ZRANGE", index, 0, -1), partial(view_replies.take_all_ids, view)
        if wanted.present:
            yield ("ZMSCORE", index, *wanted.present), partial(view_replies.take_present, view, wanted.present)

    def _reads_of_patches(
        self, kind: Kind, section: str, generations: Generations, wanted: Wants, view: View
    ) -> Iterator[_Perhaps]:
        for generation, ids, take in (
            (generations.written, wanted.values, view_replies.take_patches),
            (generations.live, wanted.seen_values, view_replies.patch_seen),
        ):
            if ids and kind in PATCHED_BESIDE:
                reads_of = partial(_reads_of_patches, ids, partial(take, view, ids))
                yield self._keys.patches(kind, section, generation), reads_of


def _reads_of_patches(ids: Sequence[str], take: Callable[[Any], None], patches: str) -> Iterator[_Read]:
    yield ("HMGET", patches, *ids), take


def _reads_of_links(wanted: Wants, view: View, links: str) -> Iterator[_Read]:
    # Some of those found may be ones that stay: so there is always something to delete if that is not all.
    limit = LIST_LENGTH + len(wanted.variations)
    prefixes = list(map(link_prefix, dict.fromkeys(wanted.links)))
    for first in range(0, len(prefixes), LINKED_ITEMS):
        some = prefixes[first : first + LINKED_ITEMS]
        command = scripts.READ_LINKS.command(links=links, limit=limit, prefixes=some)
        yield command, partial(view_replies.take_links, view, limit)
