"""Turn a window of work into steps: read everything at once, apply in order, collect failures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import takewhile

from shared.catalog.effects import Effects, View, Wants
from shared.catalog.reader import Catalog
from shared.catalog.reading import Reading, read
from shared.catalog.successor import GenerationGone
from shared.codec import decode_chunk, encode_report
from shared.errors import TaskFailed
from shared.guards.rules import Rules, safeguard
from shared.model import Batch, Chunk, Kind, Operation, Outcome
from shared.partition.grants import Grant
from shared.partition.lease import Lease
from shared.partition.step_results import StepResult
from shared.partition.steps import Commit, Failure, Piece, Step, failed
from shared.partition.work import Work
from shared.settings import Settings
from workers.apply import applier
from workers.apply.patches import Unseen, go_by_patches
from workers.drain.check_pass import check, may_fail
from workers.drain.flip import plan_flip
from workers.drain.known_rules import KnownRules
from workers.drain.task_guard import Cleared, TaskGuard, deletions
from workers.export.exporter import Exporter

#: Most entries with a reason in the report of a task that was accepted only to fail.
REFUSED_REASONS = 1000
#: Operations that send entries as they will be stored.
WHOLE = (Operation.PUT, Operation.ADD, Operation.REPLACE, Operation.CREATE, Operation.MODIFY, Operation.SYNC)


class LeaseLost(Exception):
    """Another worker took the partition over while its next steps were planned."""


class HeadChanged(Exception):
    """The head was canceled while its next steps were planned."""


class Planner:
    """Plans the steps of the owner of one catalog's partition."""

    def __init__(
        self,
        catalog: Catalog,
        settings: Settings,
        exporter: Exporter,
        *,
        progress: Callable[[], None] = lambda: None,
        known_rules: KnownRules | None = None,
    ) -> None:
        """``progress`` is called whenever a long plan has made progress; ``known_rules`` are shared with others."""
        self.catalog = catalog
        self._rules = KnownRules() if known_rules is None else known_rules
        self._settings = settings
        self._exporter = exporter
        self._progress = progress

    def plan(self, grant: Grant, *, now_ms: int) -> list[Step]:
        """Plan steps as `planning` does."""
        return read(self.planning(grant, now_ms=now_ms), self.catalog.ask)

    def planning(self, grant: Grant, *, now_ms: int) -> Reading[list[Step]]:
        """Plan the steps for the head and for the similar tasks after it, which share its reads.

        Raises LeaseLost or HeadChanged if the steps are pointless.
        """
        head, *behind = grant.window
        batch = head.batch
        if grant.stalls >= self._settings.max_stalls:
            attempts = grant.stalls
            return [failed(head, f"given up after {attempts} attempts, none of which finished")]
        if batch is None:
            return [failed(head, "the record of this task is lost; nothing of it was applied")]
        if batch.doomed:
            return [failed(head, batch.doomed, self._refused(grant.lease, head, batch))]
        rules = (yield from self._rules.reading(grant.lease.catalog_key, head)) if head.guards else {}
        if batch.operation.builds and head.chunk == batch.chunks:
            guard = TaskGuard(batch, rules, self._settings)
            try:
                return plan_flip(head, self.catalog, grant.lease, guard.limit_of)
            except GenerationGone:
                # Only the end of this task replaces it, and only another owner can have ended it.
                raise LeaseLost from None
        if not head.frames:
            return [_lost_payload(head)]
        if batch.export is not None:
            return [self._export(grant.lease, head, now_ms)]
        cleared = None
        if head.untouched and (batch.chunks > 1 or (rules and batch.operation.builds)):
            self._begin(grant.lease, head, now_ms)
            try:
                cleared = self._check(grant.lease, head, TaskGuard(batch, rules, self._settings))
            except TaskFailed as problem:
                return [failed(head, str(problem), problem.report, problem.planned)]
        run = [head, *takewhile(lambda work: _alike(head, work), behind)]
        steps = yield from self._apply(batch.at(head.chunk), run, rules)
        return _with_notes(cleared, steps) if cleared else steps

    def _export(self, lease: Lease, head: Work, now_ms: int) -> Piece | Failure:
        """Write the next piece of an export."""
        if not head.begun:
            self._begin(lease, head, now_ms)
        return self._exporter.step(self.catalog, lease, head, partial(self._hold, lease))

    def _begin(self, lease: Lease, head: Work, now_ms: int) -> None:
        """Begin a task; it can no longer be canceled."""
        answer = lease.begin(head.task_id, now_ms=now_ms)
        if answer is StepResult.FENCED:
            raise LeaseLost
        if answer is not StepResult.OK:
            raise HeadChanged

    def _hold(self, lease: Lease) -> None:
        """Report progress and extend the lease.  Raises LeaseLost if it expired."""
        self._progress()
        if not lease.extend():
            raise LeaseLost

    def _check(self, lease: Lease, head: Work, guard: TaskGuard) -> Cleared | None:
        """Check all chunks of a task, if its data can make it fail, or a guard can.  Raises TaskFailed."""
        batch = guard.batch
        if not may_fail(batch) and not guard.watches:
            return None

        def read_view(part: Batch, wanted: Wants) -> View:
            return self.catalog.view(part.kind, part.section, head.generations(part.kind), wanted)

        return check(batch, _chunks(lease, head, batch), read_view, partial(self._hold, lease), guard)

    def _refused(self, lease: Lease, head: Work, batch: Batch) -> bytes:
        """Report the entries that make a task fail, as far as its payload is kept."""
        marks, reasons = bytearray(), dict[int, str]()
        with suppress(TaskFailed):
            for chunk in _chunks(lease, head, batch):
                marks += Outcome.IGNORED.encode() * len(chunk)
                for skipped in chunk.skipped:
                    marks[chunk.first + skipped.at] = ord(Outcome.FAILED)
                    if len(reasons) < REFUSED_REASONS:
                        reasons[chunk.first + skipped.at] = skipped.message
                self._hold(lease)
        return encode_report(bytes(marks), reasons) if len(marks) == batch.entries else b""

    def _apply(self, part: Batch, run: list[Work], rules: Mapping[Kind, Rules]) -> Reading[list[Step]]:
        """Read everything that a run of work needs at once, then plan without further I/O."""
        chunks = [
            (work, work.chunk + i, decode_chunk(frame))
            for work in run
            for i, frame in enumerate(work.frames)
            if not part.parts or part.kind_of(work.chunk + i) is part.kind
        ]
        if part.operation in WHOLE:
            entries, length = sum(len(chunk) for *_, chunk in chunks), sum(len(chunk.text) for *_, chunk in chunks)
            self.catalog.expect(part.kind, part.section, run[0].generations(part.kind), length / max(1, entries))
        if not rules and all(go_by_patches(part, chunk) for _, _, chunk in chunks):
            return self._plan_by_patches(part, run[0], chunks)
        wanted = Wants(size=bool(rules))
        for _, _, chunk in chunks:
            wanted += applier.wants(part, chunk)
        view = yield from self.catalog.reading(part.kind, part.section, run[0].generations(part.kind), wanted)
        view.items_to_come = part.items_follow(run[0].chunk)
        return list(self._steps(chunks, view, rules))

    def _plan_by_patches(self, part: Batch, head: Work, chunks: list[tuple[Work, int, Chunk]]) -> list[Step]:
        """Read no more than the first chunk needs, and plan the chunks for which that is enough.

        A chunk that needs more is left to the next round, which reads more for its head.
        """
        where = part.kind, part.section, head.generations(part.kind)
        view = self.catalog.view_of_patches(*where, [entry_id for _, _, chunk in chunks for entry_id in chunk.ids])
        while True:
            steps = self._steps(chunks, view, {})
            try:
                first = next(steps)
            except Unseen as unseen:
                self.catalog.look_closer(view, *where, unseen.ids)
            else:
                return [first, *_while_seen(steps)]

    def _steps(self, chunks: list[tuple[Work, int, Chunk]], view: View, rules: Mapping[Kind, Rules]) -> Iterator[Step]:
        for behind, (work, number, chunk) in zip(reversed(range(len(chunks))), chunks, strict=True):
            assert work.batch is not None
            batch, page = work.batch.at(number), work.page if number == work.chunk else 0
            cleared = None
            try:
                view.continued, view.more_follows = page > 0, behind > 0
                if batch.chunks == 1 and work.untouched:
                    effects, cleared = self._try(batch, chunk, view, rules)
                else:
                    effects = applier.apply(batch, chunk, view)
                    # For the guards of the tasks behind it.
                    view.size += effects.outcomes.count(Outcome.CREATED)
            except TaskFailed as problem:
                if batch.chunks > 1:
                    raise RuntimeError(f"task {work.task_id} fails after its check pass: {problem}") from problem
                yield failed(work, str(problem), problem.report, problem.planned)
                # The view may have half of the failed task's effects.
                return
            step = Commit(work, number, page, effects, chunk.ids if effects.chunk_ends else (), chunk.first)
            yield _with_note(cleared, step) if cleared else step
            if not effects.chunk_ends:
                return

    def _try(
        self, batch: Batch, chunk: Chunk, view: View, rules: Mapping[Kind, Rules]
    ) -> tuple[Effects, Cleared | None]:
        """Apply the one chunk of a task, which can still fail.  Raises TaskFailed."""
        # Those that build a generation were judged in their check pass.
        if not rules or batch.operation.builds:
            deleted = applier.deletions(batch, chunk, view)
            applier.guard(batch, batch.kind, deleted, view.size, safeguard(None, self._settings))
            return applier.apply(batch, chunk, view), None
        guard, deleted = TaskGuard(batch, rules, self._settings), deletions(batch, chunk, view)
        size, before = view.size, guard.before(batch, chunk, view)
        effects = applier.apply(batch, chunk, view)
        view.size = size
        guard.add(batch, 0, chunk, view, before, effects, deleted)
        # The next task of the round is judged by what is there then.
        view.size += effects.outcomes.count(Outcome.CREATED) - deleted
        return effects, guard.cleared()


def _with_note(cleared: Cleared, commit: Commit) -> Commit:
    """Add to the first commit of a task what its guard found."""
    effects = commit.effects
    if cleared.warnings:
        effects = replace(effects, warnings=",".join(filter(None, (cleared.warnings, effects.warnings))))
    return replace(commit, effects=effects, planned=cleared.planned)


def _with_notes(cleared: Cleared, steps: list[Step]) -> list[Step]:
    first, *rest = steps
    return [_with_note(cleared, first) if isinstance(first, Commit) else first, *rest]


def _chunks(lease: Lease, head: Work, batch: Batch) -> Iterator[Chunk]:
    for number in range(batch.chunks):
        frame = lease.frame(head.task_id, number)
        if frame is None:
            raise TaskFailed("the payload of this task is lost; nothing of it was applied")
        yield decode_chunk(frame)


def _while_seen(steps: Iterator[Step]) -> Iterator[Step]:
    with suppress(Unseen):
        yield from steps


def _lost_payload(work: Work) -> Failure:
    if not work.can_fail:
        raise RuntimeError(f"the payload of task {work.task_id} was lost after its first commit")
    return failed(work, "the payload of this task is lost; nothing of it was applied")


def _alike(head: Work, other: Work) -> bool:
    """Return whether a small task can share the head's reads: both read the same part of the catalogue alike."""
    one, two = head.batch, other.batch
    return (
        one is not None
        and two is not None
        and bool(other.frames)
        and not one.parts
        and not two.doomed
        and (one.kind, one.operation, one.section) == (two.kind, two.operation, two.section)
        and two.chunks == 1
    )
