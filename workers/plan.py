"""Turn a window of work into steps: read at once, apply in order, note who fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import takewhile

from shared.catalogs import Catalog
from shared.codec import decode_chunk
from shared.effects import View, Wants
from shared.errors import TaskFailed
from shared.leases import Answer, Grant, Work
from shared.model import Batch, Chunk
from shared.partitions import Partition
from shared.settings import Settings
from shared.steps import Commit, Failure, Piece, Plan, Step, failed
from workers import applier
from workers.check import check, may_fail
from workers.exports import Exporter
from workers.flip import plan_flip
from workers.patching import Unseen, go_by_patches


class LeaseLost(Exception):
    """The partition became somebody else's while its next steps were planned."""


class HeadChanged(Exception):
    """The head was canceled while its next steps were planned."""


class Planner:
    """Plans the steps of the owner of one partition."""

    def __init__(
        self,
        partition: Partition,
        catalog: Catalog,
        settings: Settings,
        exporter: Exporter,
        *,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; ``progress`` is called whenever a long plan has got on."""
        self._partition = partition
        self._catalog = catalog
        self._settings = settings
        self._exporter = exporter
        self._progress = progress

    def plan(self, grant: Grant, *, now_ms: int) -> Sequence[Step]:
        """Decide the steps for the head, and for those tasks behind it that are alike and can share its reads.

        Raises LeaseLost or HeadChanged if there is no point in taking them.
        """
        head, *behind = grant.window
        batch = head.batch
        if grant.stalls >= self._settings.max_stalls:
            attempts = grant.stalls
            return [failed(head, f"given up after {attempts} attempts, none of which came to an end")]
        if batch is None:
            return [failed(head, "the record of this task is lost; nothing of it was applied")]
        if batch.doomed:
            return [failed(head, batch.doomed)]
        if batch.operation.builds and head.chunk == batch.chunks:
            return plan_flip(head, self._catalog, self._partition, self._settings)
        if not head.frames:
            return [_lost_payload(head)]
        if batch.export is not None:
            return [self._export(grant.token, head, now_ms)]
        if batch.chunks > 1 and head.untouched:
            self._begin(grant.token, head, now_ms)
            failure = self._check(grant.token, head, batch)
            if failure:
                return [failure]
        run = [head, *takewhile(lambda work: _alike(head, work), behind)]
        return self._apply(batch.at(head.chunk), run)

    def _export(self, token: str, head: Work, now_ms: int) -> Piece | Failure:
        """Write the next piece of an export."""
        if not head.begun:
            self._begin(token, head, now_ms)

        def hold() -> None:
            self._progress()
            if not self._partition.extend(token):
                raise LeaseLost

        return self._exporter.step(self._catalog, self._partition.catalog_key, token, head, hold)

    def _begin(self, token: str, head: Work, now_ms: int) -> None:
        """Begin a task: from now on it can no longer be canceled."""
        answer = self._partition.begin(token, head.task_id, now_ms=now_ms)
        if answer is Answer.FENCED:
            raise LeaseLost
        if answer is not Answer.OK:
            raise HeadChanged

    def _check(self, token: str, head: Work, batch: Batch) -> Failure | None:
        """Check a task of many chunks whole, if its data can make it fail."""
        if not may_fail(batch):
            return None

        def read_view(part: Batch, wanted: Wants) -> View:
            return self._catalog.view(part.kind, part.section, head.generations(part.kind), wanted)

        def hold() -> bool:
            self._progress()
            return self._partition.extend(token)

        try:
            held = check(batch, self._chunks(head, batch), read_view, hold, self._settings)
        except TaskFailed as problem:
            return failed(head, str(problem), problem.report)
        if not held:
            raise LeaseLost
        return None

    def _chunks(self, head: Work, batch: Batch) -> Iterator[Chunk]:
        for number in range(batch.chunks):
            frame = self._partition.frame(head.task_id, number)
            if frame is None:
                raise TaskFailed("the payload of this task is lost; nothing of it was applied")
            yield decode_chunk(frame)

    def _apply(self, part: Batch, run: list[Work]) -> Sequence[Step]:
        """Read what a run of work has to see, at once; all that is left to do with it is pure."""
        chunks = [
            (work, work.chunk + i, decode_chunk(frame))
            for work in run
            for i, frame in enumerate(work.frames)
            if not part.parts or part.kind_of(work.chunk + i) is part.kind
        ]
        if all(go_by_patches(part, chunk) for _, _, chunk in chunks):
            return self._plan_by_patches(part, run[0], chunks)
        wanted = Wants()
        for _, _, chunk in chunks:
            wanted += applier.wants(part, chunk)
        view = self._catalog.view(part.kind, part.section, run[0].generations(part.kind), wanted)
        view.items_to_come = part.items_follow(run[0].chunk)
        return Plan(self._steps(chunks, view), most=len(chunks))

    def _plan_by_patches(self, part: Batch, head: Work, chunks: list[tuple[Work, int, Chunk]]) -> Plan:
        """Look no closer than the first chunk needs, and go on as far as that is enough."""
        where = part.kind, part.section, head.generations(part.kind)
        view = self._catalog.view_of_patches(*where, [entry_id for _, _, chunk in chunks for entry_id in chunk.ids])
        while True:
            steps = self._steps(chunks, view)
            try:
                first = next(steps)
            except Unseen as unseen:
                self._catalog.look_closer(view, *where, unseen.ids)
            else:
                return Plan(_while_seen(first, steps), most=None)

    def _steps(self, chunks: list[tuple[Work, int, Chunk]], view: View) -> Iterator[Step]:
        for work, number, chunk in chunks:
            assert work.batch is not None
            batch, page = work.batch.at(number), work.page if number == work.chunk else 0
            try:
                if batch.chunks == 1 and work.untouched:
                    deleted = applier.deletions(batch, chunk, view)
                    applier.guard(batch, deleted, view.item_count, self._settings)
                effects = applier.apply(batch, chunk, view)
            except TaskFailed as problem:
                if batch.chunks > 1:
                    raise RuntimeError(f"task {work.task_id} fails after its check pass: {problem}") from problem
                yield failed(work, str(problem), problem.report)
                # The view may hold half of what the failed one would have done.
                return
            yield Commit(work, number, page, effects, chunk.ids if effects.chunk_ends else (), chunk.first)
            if not effects.chunk_ends:
                return


def _while_seen(head: Step, others: Iterator[Step]) -> Iterator[Step]:
    """End before one of which more has to be seen: it will be the next round's head, and is then looked at closer."""
    yield head
    with suppress(Unseen):
        yield from others


def _lost_payload(work: Work) -> Failure:
    if not work.can_fail:
        raise RuntimeError(f"the payload of task {work.task_id} was lost after its first commit")
    return failed(work, "the payload of this task is lost; nothing of it was applied")


def _alike(head: Work, other: Work) -> bool:
    """Tell whether a small task can share the head's reads: both look at the same part of the catalogue alike."""
    one, two = head.batch, other.batch
    return (
        one is not None
        and two is not None
        and bool(other.frames)
        and not one.parts
        and (one.kind, one.operation, one.section) == (two.kind, two.operation, two.section)
        and two.chunks == 1
    )
