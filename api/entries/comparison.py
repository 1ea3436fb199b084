"""Compare checked entries with what is there: what a write would do, which is not done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Raw

from shared.catalog.equality import same
from shared.catalog.merging import decode_fields, encode_fields, merge, without_nulls
from shared.catalog.reader import Catalog
from shared.errors import TaskFailed
from shared.guards.rules import DeletionLimit, Rules, floor_of, safeguard
from shared.guards.tally import Tally, WrittenEntries
from shared.guards.verdict import Broken, judge, refusal, stopping
from shared.limits import max_data_bytes
from shared.model import Kind, OnMissing, Operation, Outcome
from shared.settings import Settings


class Comparison:
    """The expected outcomes of the entries of one kind, in one byte of memory each."""

    def __init__(
        self,
        catalog: Catalog,
        kind: Kind,
        section: str,
        operation: Operation,
        on_missing: OnMissing,
        rules: Rules | None = None,
    ) -> None:
        """``rules`` are those of the guard, if there is one."""
        self._catalog = catalog
        self._rules = rules
        #: Of all fields, to be shown, and of those that the rules name, to be judged.
        self._tally, self._judged = Tally(), Tally(rules or Rules())
        self._kind = kind
        self._section = section
        self._operation = operation
        self._on_missing = on_missing
        self._outcomes = bytearray()
        self._starts: list[int] = []
        #: Of a list of items to keep: a hash of each of them, and how many variations they have.
        self._kept: set[int] = set()
        self._kept_variations = 0
        #: Why the first of the entries that cannot be applied cannot be; empty if there is none.
        self._impossible = ""

    def add(self, ids: Sequence[str], entries: Sequence[Raw], superseded: Iterable[int]) -> None:
        """Compare a chunk; an empty id is that of an entry that breaks the rules.  Raises StoreUnavailable."""
        there = {entry.id: entry.body for entry in self._catalog.get(self._kind, self._section, [*filter(None, ids)])}
        if self._operation is Operation.KEEP and self._kind is Kind.ITEMS:
            self._count_variations(there)
        self._starts.append(len(self._outcomes))
        aside, written = set(superseded), list[tuple[str, bytes | None, bytes]]()
        for i, (entry_id, entry) in enumerate(zip(ids, entries, strict=True)):
            stored = there.get(entry_id)
            outcome, value = self._outcome(stored, entry) if entry_id else (Outcome.FAILED, None)
            self._outcomes += outcome.encode()
            if value is not None and i not in aside:
                written.append((entry_id, stored, value))
        if written:
            written_ids, before, after = zip(*written, strict=True)
            rows = WrittenEntries(written_ids, before, after, lambda _: 0)
            self._tally.add(rows)
            self._judged.add(rows)
        self.supersede(len(self._starts) - 1, aside)

    def _count_variations(self, kept: Iterable[str]) -> None:
        once = [item_id for item_id in kept if hash(item_id) not in self._kept]
        self._kept.update(map(hash, once))
        self._kept_variations += len(self._catalog.variation_ids(self._section, *once)) if once else 0

    @property
    def kept_variations(self) -> int:
        """Number of variations of the items to keep."""
        return self._kept_variations

    def supersede(self, chunk: int, places: Iterable[int]) -> None:
        """Count entries of a chunk no more, since a later one has the same id."""
        for place in places:
            self._outcomes[self._starts[chunk] + place] = ord(Outcome.IGNORED)

    def counts(self) -> dict[str, int]:
        """Count what would become of the entries, and of those that a sync leaves out."""
        count = self._outcomes.count
        created, updated, unchanged = (
            count(outcome.encode()) for outcome in (Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED)
        )
        deleted = count(Outcome.DELETED.encode())
        if self._operation.builds:
            deleted = self.size() - updated - unchanged
        return {
            "rows": len(self._outcomes),
            "created": created,
            "updated": updated,
            "unchanged": unchanged,
            "deleted": deleted,
            "ignored": count(Outcome.IGNORED.encode()),
            "failed": count(Outcome.FAILED.encode()) + count(Outcome.MISSING.encode()),
        }

    @property
    def missing(self) -> int:
        """Number of required ids that do not exist."""
        return self._outcomes.count(Outcome.MISSING.encode())

    def size(self) -> int:
        """Count what is there."""
        return self._catalog.page(self._kind, self._section, offset=0, size=1).total

    def planned(self, settings: Settings) -> dict[str, Any]:
        """Show what would change; of fields, rows that a later row of a file replaces are counted too."""
        broken = [one.text for one in self._broken(settings, with_deletions=True)]
        judged = {} if self._rules is None else {"guard_version": self._rules.version}
        return self._counted(self._tally).shown() | judged | ({"broken": broken} if broken else {})

    def refusals(self, settings: Settings, *, force: bool) -> list[str]:
        """Say why the task would fail."""
        reasons = [f"{self.missing} {self._kind.many} do not exist"] if self.missing else []
        reasons += [self._impossible] if self._impossible else []
        if self._rules is not None:
            broken = stopping(self._rules, self._broken(settings, with_deletions=force), force=force)
            reasons += [refusal(self._kind, self._section, broken)] if broken else []
        tally = self._counted(self._judged)
        limit = safeguard(self._rules, settings)
        return reasons + ([] if force else refused_deletions(self._kind, tally.stored, tally.deleted, limit))

    def _broken(self, settings: Settings, *, with_deletions: bool) -> list[Broken]:
        if self._rules is None:
            return []
        floor, tally = floor_of(self._rules, settings), self._counted(self._judged)
        return judge(self._rules, tally, self._kind, floor=floor, with_deletions=with_deletions)

    def _counted(self, tally: Tally) -> Tally:
        counts = self.counts()
        tally.stored, tally.deleted = self.size(), counts["deleted"]
        tally.created, tally.updated, tally.unchanged = (counts[name] for name in ("created", "updated", "unchanged"))
        return tally

    def _outcome(self, there: bytes | None, entry: Raw) -> tuple[Outcome, bytes | None]:
        """Return the outcome of an entry, and what would be written."""
        match self._operation:
            case Operation.DELETE:
                return (Outcome.IGNORED if there is None else Outcome.DELETED), None
            case Operation.KEEP:
                return (Outcome.IGNORED if there is None else Outcome.UNCHANGED), None
        if self._operation is Operation.PATCH:
            return self._patched(there, entry)
        after = without_nulls(bytes(entry))
        if there is None:
            return Outcome.CREATED, after
        return (Outcome.UNCHANGED, None) if same(there, after) else (Outcome.UPDATED, after)

    def _patched(self, there: bytes | None, entry: Raw) -> tuple[Outcome, bytes | None]:
        if there is None:
            creates = self._on_missing is OnMissing.CREATE
            return _ABSENT[self._on_missing], without_nulls(bytes(entry)) if creates else None
        fields = decode_fields(there)
        try:
            changed = merge(fields, decode_fields(entry), max_data_bytes=max_data_bytes(self._kind))
        except TaskFailed as problem:
            self._impossible = self._impossible or f"{self._kind.one} {bytes(fields['id']).decode()}: {problem}"
            return Outcome.FAILED, None
        return (Outcome.UPDATED, encode_fields(fields)) if changed else (Outcome.UNCHANGED, None)


def refused_deletions(kind: Kind, size: int, deleted: int, limit: DeletionLimit) -> list[str]:
    """Say that a task would delete too much, if it would."""
    if size < limit.floor or deleted <= limit.ratio * size:
        return []
    return [f"{deleted} of the {size} {kind.many} would be deleted; send force=true if that is meant"]


_ABSENT = {
    OnMissing.FAIL: Outcome.MISSING,
    OnMissing.IGNORE: Outcome.IGNORED,
    OnMissing.CREATE: Outcome.CREATED,
}
