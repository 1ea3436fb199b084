"""Compare the live copy of a sink with the catalogue, entry by entry, and mend it.

Both change all the time, so a page is compared only if the destination is at just the task as of which the page was
read; otherwise it is read again a moment later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.catalog import places
from shared.catalog.changed_entries import read_changed
from shared.catalog.pages import EntryPage
from shared.catalog.reader import Catalog
from shared.errors import SluiceError
from shared.model import Kind
from shared.sinks.deliver_in_parts import deliver_in_parts
from shared.sinks.destination import Copy, CopyChange, Destination, Differences, Mark, Superseded, Which
from shared.sinks.mapping import Document, Unmappable, document
from shared.sinks.sinks import Sink
from shared.store.client import Store
from shared.waiting import WaitedInVain, wait_until

#: Entries compared at a time, and their bytes at most.
PAGE_ENTRIES = 500
PAGE_BYTES = 8 * 1024 * 1024
#: Seconds for the destination to be where the catalogue is, for each page.
SETTLED_S = 30.0


class NotSettled(SluiceError):
    """The destination and the catalogue were never at the same task for a moment, or all is copied anew."""


@dataclass(slots=True)
class KindVerified:
    """What a comparison found, of one kind."""

    kind: Kind
    #: The task as of which the last page was compared.
    task_id: int = 0
    compared: int = 0
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    #: Those that the mapping cannot map, and that are no dead letters: missing, and not to be repaired.
    unmappable: list[str] = field(default_factory=list)

    def add(self, found: PageCompared) -> None:
        """Add what was found in a page."""
        self.task_id = found.live.mark.position.task_id
        self.compared += len(found.page.entries)
        self.missing += found.differences.missing
        self.extra += found.differences.extra
        self.stale += found.differences.stale
        self.unmappable += found.unmappable

    @property
    def wrong(self) -> int:
        return len(self.missing) + len(self.extra) + len(self.stale) + len(self.unmappable)


class PageCompared(NamedTuple):
    """What the comparison of one page found."""

    page: EntryPage
    live: Copy
    documents: dict[str, Document]
    unmappable: list[str]
    differences: Differences

    @property
    def next_after(self) -> str:
        """The id behind which the next page begins; '' if this was the last."""
        return self.page.entries[-1].id if self.page.next_place is not None else ""


class Verification:
    """A comparison of one sink's live copy."""

    def __init__(
        self,
        client: Store,
        catalog_key: str,
        sink: Sink,
        destination: Destination,
        *,
        dead: Collection[tuple[Kind, str]] = (),
        settled_s: float = SETTLED_S,
    ) -> None:
        """``dead`` are dead letters: the destination cannot have them."""
        self._client = client
        self._catalog_key = catalog_key
        self._catalog = Catalog(client, catalog_key)
        self._sink = sink
        self._destination = destination
        self._dead = frozenset(dead)
        self._settled_s = settled_s

    def run(self, *, repair: bool = False) -> Iterator[KindVerified]:
        """Compare kind by kind, and mend what is wrong if asked to.

        Raises NotSettled, and what `Destination` and the store raise.
        """
        for kind in self._sink.mapping.kinds:
            verified, after, more = KindVerified(kind), "", True
            while more:
                found = self.page(kind, after, repair=repair)
                verified.add(found)
                after = found.next_after
                more = after != ""
            yield verified

    def page(self, kind: Kind, after: str, *, repair: bool = False) -> PageCompared:
        """Compare the entries behind an id, and mend what is wrong if asked to.  Raises as `run` does."""
        found: list[PageCompared] = []

        def compared() -> bool:
            try:
                one = self._compare(kind, after)
                if one and repair and any(one.differences):
                    self._repair(kind, one)
            except Superseded:
                return False
            found.extend([one] if one else [])
            return bool(found)

        try:
            wait_until(compared, "the destination is where the catalogue is", timeout_s=self._settled_s, every_s=0.02)
        except WaitedInVain:
            raise NotSettled(
                f"for {self._settled_s:.0f} s the destination was never at the catalogue's task: see whether the sink"
                " is live (sluice sinks list), or try again when less is sent"
            ) from None
        return found[0]

    def _compare(self, kind: Kind, after: str) -> PageCompared | None:
        """Compare a page; None if the destination is not where the catalogue is."""
        live = self._destination.look().live
        if live is not None and live.version != self._sink.version:
            raise NotSettled(f"{self._sink.name} is being copied anew: try again when it is live (sluice sinks list)")
        if live is None or not self._is_at(live.mark):
            return None
        begin = places.behind(after) if after else b""
        page = self._catalog.page_from(kind, self._sink.section, begin, size=PAGE_ENTRIES, max_bytes=PAGE_BYTES)
        if not self._is_at(live.mark):
            return None
        documents, unmappable = self._documents(kind, page)
        until = page.entries[-1].id if page.next_place is not None else ""
        found = self._destination.compare(live.mark, kind, list(documents.values()), after, until)
        # A later version of a dead letter may have been delivered since the letters were read.
        found = found._replace(extra=[entry_id for entry_id in found.extra if (kind, entry_id) not in self._dead])
        return PageCompared(page, live, documents, unmappable, found)

    def _is_at(self, mark: Mark) -> bool:
        """Whether the catalogue is just what a copy with this mark has to be."""
        now = read_changed(self._client, self._catalog_key, {})
        return mark.exact and now.position == mark.position and now.reach <= mark.position.task_id

    def _documents(self, kind: Kind, page: EntryPage) -> tuple[dict[str, Document], list[str]]:
        """Map the entries of a page, but for dead letters; returns also the ids of those that cannot be mapped."""
        documents, unmappable = dict[str, Document](), list[str]()
        for entry in page.entries:
            if (kind, entry.id) not in self._dead:
                try:
                    documents[entry.id] = document(self._sink.mapping, kind, entry)
                except Unmappable:
                    unmappable.append(entry.id)
        return documents, unmappable

    def _repair(self, kind: Kind, one: PageCompared) -> None:
        """Write what is wrong, unless the copy has moved on since; its mark stays."""
        missing, extra, stale = one.differences
        documents = [one.documents[entry_id] for entry_id in (*missing, *stale)]
        change = CopyChange(Which.LIVE, one.live, one.live, {kind: documents}, {kind: extra})
        deliver_in_parts(self._destination, change, lambda: None)
