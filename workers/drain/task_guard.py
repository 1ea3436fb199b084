"""Guard one task: count what it would change, and stop it if that breaks the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

from shared.catalog.effects import Effects, Puts, View, Wants
from shared.codec import STAMP_DIGITS, encode_json, encode_report
from shared.errors import TaskFailed
from shared.guards.rules import DeletionLimit, Mode, Rules, floor_of, safeguard
from shared.guards.tally import Tally, WrittenEntries
from shared.guards.verdict import Broken, guard_of, judge, refusal, stopping
from shared.model import Batch, Chunk, Kind, Operation, Outcome
from shared.settings import Settings
from workers.apply import applier
from workers.apply.sync import variations_came_before
from workers.apply.warnings import warning
from workers.apply.whole_entries import compare

#: What the entries of a chunk are before it is applied, in their order; None for those that do not exist.
Before = Sequence[bytes | None]


@dataclass(frozen=True, slots=True)
class Cleared:
    """What a task that may go on has in its record from the beginning."""

    #: What it would change, as JSON; empty if nobody asked.
    planned: bytes = b""
    #: JSON objects joined by commas.
    warnings: str = ""


class TaskGuard:
    """The guard of one task."""

    def __init__(self, batch: Batch, rules: Mapping[Kind, Rules], settings: Settings) -> None:
        """``rules`` are those of the kinds that have some."""
        self.batch = batch
        self._rules = rules
        self._settings = settings
        self._tallies = {kind: Tally(one) for kind, one in rules.items() if not _go_along(batch, kind)}

    @property
    def watches(self) -> bool:
        """Whether there is anything to judge besides what may be deleted."""
        return bool(self._tallies)

    def widen(self, part: Batch, wanted: Wants) -> None:
        """Ask for what is needed to judge a chunk besides what is needed to apply it."""
        wanted.size |= part.kind in self._tallies

    def before(self, part: Batch, chunk: Chunk, view: View) -> Before:
        """Keep what a view has of the entries of a chunk, before that is applied."""
        tally = self._tallies.get(part.kind)
        if tally is None or not tally.looks_at_entries or part.operation is Operation.DELETE:
            return ()
        if part.operation.builds or not view.values:
            return [value and value[STAMP_DIGITS:] for value in map(view.seen_values.get, chunk.ids)]
        known, seen = view.values, view.seen_values
        values = list(map(known.get, chunk.ids))
        if seen and None in values:
            pairs = zip(values, map(seen.get, chunk.ids), strict=True)
            values = [value or (old and old[STAMP_DIGITS:]) for value, old in pairs]
        return values

    def add(
        self, part: Batch, first: int, chunk: Chunk, view: View, before: Before, effects: Effects | None, deleted: int
    ) -> None:
        """Count a chunk of a batch of one kind, as it was applied to a view; ``first`` is the index of its first entry.

        Without effects it only deletes.
        """
        tally = self._tallies.get(part.kind)
        if tally is None:
            return
        tally.stored = max(tally.stored, view.size)
        tally.deleted += deleted
        if effects is None or part.operation is Operation.DELETE:
            return
        if not effects.chunk_ends:
            # Only the first page of what it deletes: what it writes is seen in a view without that.
            effects = applier.apply(part, chunk, View(values=dict(view.values), variations=dict(view.variations)))
        tally.count(effects.outcomes)
        puts, beside = effects.puts, effects.patches.ids
        if part.operation is Operation.SYNC and variations_came_before(part):
            puts = _changed(puts, view)
            tally.updated -= len(effects.puts.ids) - len(puts.ids)
            tally.unchanged += len(effects.puts.ids) - len(puts.ids)
        if not tally.looks_at_entries:
            return
        ids = [*puts.ids, *beside]
        after = [*puts.values, *map(view.values.__getitem__, beside)]
        if ids != chunk.ids:
            before = list(map(dict(zip(chunk.ids, before, strict=True)).get, ids))
        tally.add(WrittenEntries(ids, before, after, _indexes(chunk, first)))

    def cleared(self) -> Cleared:
        """Judge what was counted.  Raises TaskFailed if the task must not go on."""
        if self.batch.operation.builds:
            for tally in self._tallies.values():
                tally.deleted = tally.stored - tally.updated - tally.unchanged
        broken = {kind: self._judge(kind, tally) for kind, tally in self._tallies.items()}
        planned = encode_json({kind: self._shown(kind, broken[kind]) for kind in self._tallies})
        stopped = {kind: stopping(self._rules[kind], found, force=self.batch.force) for kind, found in broken.items()}
        if any(stopped.values()):
            said = (refusal(kind, self.batch.section, found) for kind, found in stopped.items() if found)
            raise TaskFailed("; ".join(said), report=self._report(stopped), planned=planned)
        try:
            for kind, tally in self._tallies.items():
                applier.guard(self.batch, kind, tally.deleted, tally.stored, self.limit_of(kind))
        except TaskFailed as problem:
            raise TaskFailed(str(problem), planned=planned) from None
        return Cleared(planned, ",".join(self._waived(kind, one) for kind, found in broken.items() for one in found))

    def limit_of(self, kind: Kind) -> DeletionLimit:
        """Return what it may delete of a kind."""
        return safeguard(self._rules.get(kind), self._settings)

    def _judge(self, kind: Kind, tally: Tally) -> list[Broken]:
        rules = self._rules[kind]
        # What may be deleted is for the safeguard to say, where it is enforced.
        warns = rules.mode is Mode.WARN or self.batch.force
        return judge(rules, tally, kind, floor=floor_of(rules, self._settings), with_deletions=warns)

    def _shown(self, kind: Kind, broken: list[Broken]) -> dict[str, object]:
        shown = self._tallies[kind].shown() | {"guard_version": self._rules[kind].version}
        return shown | ({"broken": [one.text for one in broken]} if broken else {})

    def _waived(self, kind: Kind, broken: Broken) -> str:
        forced = self._rules[kind].mode is Mode.ENFORCE
        why = f"force=true: {self.batch.force_reason or 'no reason given'}" if forced else "its mode is warn"
        message = f"{guard_of(kind, self.batch.section)} does not stop this, since {why}; {broken.message}"
        return warning("GUARD_WAIVED" if forced else "GUARD", message, None)

    def _report(self, stopped: Mapping[Kind, Sequence[Broken]]) -> bytes:
        """Name the worst entries; in the report of a failed task all others are ignored."""
        marks = bytearray(Outcome.IGNORED.encode()) * self.batch.entries
        reasons: dict[int, str] = {}
        for broken in (one for found in stopped.values() for one in found):
            for culprit in broken.worst:
                text = f"{broken.field}: {culprit.text}" if broken.field else culprit.text
                marks[culprit.index : culprit.index + 1] = Outcome.FAILED.encode()
                said = reasons.get(culprit.index)
                reasons[culprit.index] = f"{said}; {text}" if said else text
        return encode_report(bytes(marks), reasons) if reasons else b""


def _go_along(batch: Batch, kind: Kind) -> bool:
    """Return whether these are not sent, but deleted with their items: how many is counted only by the flip, which
    minds what may be deleted.
    """
    return kind is Kind.VARIATIONS and batch.takes_variations_along


def deletions(part: Batch, chunk: Chunk, view: View) -> int:
    """Count the entries that a chunk deletes, without the variations that go with their items."""
    if part.operation is Operation.REPLACE:
        return len(view.all_ids.difference(chunk.ids))
    return applier.deletions(part, chunk, view)


def _indexes(chunk: Chunk, first: int) -> Callable[[str], int]:
    """Return what tells the index of an entry; of several with one id, that of the last."""
    known: dict[str, int] = {}

    def index_of(entry_id: str) -> int:
        if not known:
            known.update((id_, first + i) for i, id_ in enumerate(chunk.ids))
        return known[entry_id]

    return index_of


def _changed(puts: Puts, view: View) -> Puts:
    """Leave out what is written anew although it is as it was."""
    same = compare(puts.values, list(map(view.seen_values.get, puts.ids)), lead=STAMP_DIGITS)
    changed = [not one for one in same]
    return Puts(list(compress(puts.ids, changed)), list(compress(puts.values, changed)))
