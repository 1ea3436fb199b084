"""Bring a sink's copy of a catalogue up to date: deliver changes, or copy everything anew beside it and switch."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import msgspec
import structlog

from shared.catalog import places
from shared.catalog.pages import StoredEntry
from shared.catalog.reader import Catalog
from shared.codec import encode_json
from shared.model import Kind
from shared.sinks.deliver_in_parts import Pace, deliver_in_parts
from shared.sinks.destination import (
    Copy,
    CopyChange,
    DeadLetter,
    Destination,
    DestinationAway,
    DestinationRefuses,
    Mark,
    Which,
)
from shared.sinks.mapping import Document, Unmappable, document
from shared.sinks.sinks import Sink, SinkName
from workers.sinks.gathering import MOST_BYTES, PART_ENTRIES, Gatherer, HistoryLost

log = structlog.get_logger()

#: Seconds for which a copy that was replaced is kept.
KEEP_OLD_S = 24 * 3600
#: Entries of one delivery while everything is copied.
COPY_ENTRIES = 2_000


class CopyCursor(msgspec.Struct, array_like=True, frozen=True):
    """Where the reading of the whole catalogue goes on."""

    #: Index of the kind.
    kind: int = 0
    #: The last id of that kind, None if none was read.
    after: str | None = None


_decode = msgspec.json.Decoder(CopyCursor).decode


class Record(Protocol):
    """Is told of each delivery that has taken effect; raises if another owns the sink now."""

    def __call__(
        self, phase: str, copy: Copy, cleared: Sequence[tuple[Kind, str]], dead: Sequence[DeadLetter]
    ) -> None: ...


class SinkDelivery:
    """One owner's work on one sink."""

    def __init__(
        self,
        name: SinkName,
        sink: Sink,
        destination: Destination,
        catalog: Catalog,
        gatherer: Gatherer,
        *,
        recorded: Copy,
        hold: Callable[[], None],
        record: Record,
        again: Callable[[], Collection[tuple[Kind, str]]] = tuple,
        after_again: Callable[[], None] = lambda: None,
        no_live: Callable[[], None] = lambda: None,
        pace: Pace | None = None,
    ) -> None:
        """``recorded`` is a copy as it was last recorded.

        ``again`` names entries of the live copy that are delivered though they have not changed; ``after_again`` is
        called after them.
        ``no_live`` is called if readers have no whole copy.  ``pace`` is how much the destination takes at once.
        """
        self._pace = pace or Pace()
        self._no_live = no_live
        self._recorded = recorded
        self._again = again
        self._after_again = after_again
        self._name = name
        self._sink = sink
        self._destination = destination
        self._catalog = catalog
        self._gatherer = gatherer
        self._hold = hold
        self._record = record

    def run(self, owner: str, until: float) -> None:
        """Deliver until nothing is left, or ``until`` (monotonic, seconds) has passed.

        Raises what `Destination` and ``hold`` raise, and StoreUnavailable.
        """
        # To connect may have taken long.
        self._hold()
        live, made, old, old_age_s = self._destination.take_over(owner)
        if live is None:
            self._no_live()
        version = self._sink.version
        try:
            if made is not None and made.version == version:
                self._copy(made, until)
            elif live is not None and live.version == version:
                if made is not None:
                    self._destination.drop_next()
                self._follow(live, until)
                if old is not None and old_age_s > KEEP_OLD_S:
                    self._drop_old()
            elif old is not None and old.version == version:
                if made is not None:
                    self._destination.drop_next()
                self._destination.undo(old)
                self._follow(old, until)
            else:
                self._copy(self._start(), until)
        except HistoryLost as lost:
            log.warning(
                "copying anew", action="deliver", catalog_key=self._name.catalog_key, sink=self._name.name,
                reason=str(lost),
            )  # fmt: skip
            self._record("behind", self._start(), (), ())

    def _drop_old(self) -> None:
        """Drop the copy that was replaced, if that can be: nothing waits for it."""
        try:
            self._destination.drop_old()
        except (DestinationAway, DestinationRefuses) as problem:
            log.warning(
                "the old copy stays", action="deliver", catalog_key=self._name.catalog_key, sink=self._name.name,
                reason=str(problem),
            )  # fmt: skip

    def _known(self, copy: Copy) -> Copy:
        """Return an earlier state of a copy, up to which all dead letters are known; mostly it is the present one.

        Where a worker died before it recorded a delivery, or did not get the answer, nobody knows what was refused.
        """
        was = self._recorded
        at, now = was.mark.position, copy.mark.position
        if at == now:
            is_earlier = was.cursor != "" and _place(was) < _place(copy)
        else:
            is_earlier = was.cursor == copy.cursor == "" and at.is_before(now)
        if was.version != copy.version or not is_earlier:
            return copy
        return Copy(Mark(at, copy.mark.reach), copy.version, was.cursor)

    def _follow(self, live: Copy, until: float) -> None:
        known = self._known(live)
        self._record("live", known, (), ())
        again = {*self._again(), *self._gatherer.changed(known.mark.position, live.mark.position)}
        for gathered in self._gatherer.again(live.mark, again, self._hold):
            live = self._deliver(Which.LIVE, live, live.at(gathered.mark), gathered.entries, known)
        if known.mark.position != live.mark.position:
            self._record("live", live, (), ())
        self._after_again()
        for gathered in self._gatherer.gather(live.mark, self._hold):
            live = self._deliver(Which.LIVE, live, live.at(gathered.mark), gathered.entries)
            if time.monotonic() >= until:
                return

    def _start(self) -> Copy:
        copy = Copy(self._gatherer.now(), self._sink.version, encode_json(CopyCursor()).decode())
        self._destination.start_next(copy)
        return copy

    def _copy(self, copy: Copy, until: float) -> None:
        """Go on with the next copy: first every entry, then what has changed meanwhile; then make it the live one."""
        known = self._known(copy)
        if known != copy:
            # Nobody reads it yet, so it may go back.
            self._destination.deliver(CopyChange(Which.NEXT, copy, known))
            copy = known
        self._record("copying", copy, (), ())
        while copy.cursor:
            copy = self._copy_part(copy)
            if time.monotonic() >= until:
                return
        for gathered in self._gatherer.gather(copy.mark, self._hold):
            copy = self._deliver(Which.NEXT, copy, copy.at(gathered.mark), gathered.entries)
            # One that is not full has caught up, even if it cannot be exact while so much is written.
            if copy.mark.exact or not gathered.full:
                break
            if time.monotonic() >= until:
                return
        else:
            if not copy.mark.exact:
                return
        self._destination.switch(copy)
        self._record("live", copy, (), ())

    def _copy_part(self, copy: Copy) -> Copy:
        kinds, at = self._sink.mapping.kinds, _decode(copy.cursor)
        kind = kinds[at.kind]
        entries, whole = self._read(kind, at.after)
        reach = max(copy.mark.reach, self._gatherer.reach(copy.mark.position.mark))
        cursor = CopyCursor(at.kind, entries[-1].id if entries else at.after)
        if whole:
            cursor = CopyCursor(at.kind + 1)
        text = "" if cursor.kind == len(kinds) else encode_json(cursor).decode()
        after = Copy(Mark(copy.mark.position, reach), copy.version, text)
        return self._deliver(Which.NEXT, copy, after, {kind: {entry.id: entry for entry in entries}})

    def _read(self, kind: Kind, after: str | None) -> tuple[list[StoredEntry], bool]:
        """Read the next entries of a kind; whether these are the last comes beside them."""
        entries, size = list[StoredEntry](), 0
        place = b"" if after is None else places.behind(after)
        while len(entries) < COPY_ENTRIES and size < MOST_BYTES:
            self._hold()
            left = MOST_BYTES - size
            page = self._catalog.page_from(kind, self._sink.section, place, size=PART_ENTRIES, max_bytes=left)
            entries += page.entries
            size += sum(len(entry.body) for entry in page.entries)
            if page.next_place is None:
                return entries, True
            place = page.next_place
        return entries, False

    def _deliver(
        self,
        which: Which,
        before: Copy,
        after: Copy,
        entries: dict[Kind, dict[str, StoredEntry | None]],
        known: Copy | None = None,
    ) -> Copy:
        """Deliver a change, and record that; of one that only repeats what is there, how far dead letters are known."""
        documents, gone, dead = mapped(self._sink, entries)
        change = CopyChange(which, before, after, documents, gone)
        dead += deliver_in_parts(self._destination, change, self._hold, self._pace)
        self._record(
            "live" if which is Which.LIVE else "copying", known or after,
            [(kind, entry_id) for kind, some in entries.items() for entry_id in some], dead,
        )  # fmt: skip
        return after


def _place(copy: Copy) -> tuple[int, bytes]:
    """Return what grows while everything is copied."""
    at = _decode(copy.cursor) if copy.cursor else CopyCursor(len(Kind))
    return at.kind, b"" if at.after is None else b"-" + at.after.encode()


def mapped(
    sink: Sink, entries: dict[Kind, dict[str, StoredEntry | None]]
) -> tuple[dict[Kind, list[Document]], dict[Kind, list[str]], list[DeadLetter]]:
    """Map entries to documents; returns these, the ids without one, and the entries that cannot be mapped."""
    documents: dict[Kind, list[Document]] = {kind: [] for kind in entries}
    gone: dict[Kind, list[str]] = {kind: [] for kind in entries}
    dead = []
    for kind, some in entries.items():
        for entry_id, entry in some.items():
            if entry is not None:
                try:
                    documents[kind].append(document(sink.mapping, kind, entry))
                    continue
                except Unmappable as problem:
                    dead.append(DeadLetter(kind, entry_id, str(problem)))
            gone[kind].append(entry_id)
    return documents, gone, dead
