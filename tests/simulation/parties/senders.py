"""Clients of the ingress: they send what is planned, and send again what was not answered."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from api.exports.request import make_export
from shared.codec import digest_ids, encode_chunk
from shared.errors import StoreUnavailable, TaskConflict, TaskNotFound, UploadLost
from shared.files.file_format import FileFormat
from shared.guards.guard_records import Guards
from shared.idempotency import IdempotencyKey
from shared.model import NO_SECTION, Batch, CatalogPart, Chunk, Kind, Operation, Part
from shared.nonces import new_nonce
from shared.origin import NO_ORIGIN
from shared.partition.submissions import Submission, Submitted, TaskChange
from shared.partition.uploads import UPLOAD_TTL_MS, Upload
from tests.simulation.plan import SECTION, Change, Planned, Ruling, Write
from tests.simulation.world import World
from tests.support.batches import make_batch
from tests.support.laws import Accepted, read_json
from tests.support.rig import Rig, growth

#: How long a client waits before it sends again.
AGAIN_MS = 100


class Sender:
    """One client; when it dies, what it was at may have been accepted or not."""

    def __init__(self, world: World, rig: Rig, operations: list[tuple[int, Planned]]) -> None:
        self._world = world
        self._rig = rig
        self._left: Iterator[tuple[int, Planned]] = iter(operations)

    def run(self) -> None:
        """Send what is left."""
        for number, planned in self._left:
            self._world.scheduler.rest(planned.after_ms)
            try:
                if isinstance(planned.what, Write):
                    self._write(number, planned.what)
                elif isinstance(planned.what, Change):
                    self._change(number, planned.what)
                else:
                    self._set_rules(number, planned.what)
            finally:
                self._world.is_stirred = True

    def _write(self, number: int, write: Write) -> None:
        batch, frames = _made(write)
        journal = self._world.journals[write.catalog_key]
        batch = journal.named(batch, number)
        line = Accepted(
            0, write.kind, write.operation, write.entries, batch.section, write.on_missing, write.force,
            sent=self._world.tick(),
        )  # fmt: skip
        journal.unsure[f"operation-{number}"] = line
        key = IdempotencyKey(f"key-{number}", f"digest-{number}") if write.keyed else None
        for stalls in itertools.chain([write.stalls], itertools.repeat(False)):
            try:
                submitted = self._submit(write, batch, frames, key, stalls=stalls)
            except (StoreUnavailable, UploadLost):
                if key is None:
                    return
                self._world.scheduler.rest(AGAIN_MS)
                continue
            if submitted.outcome is not Submission.UPLOAD_LOST:
                break
        if submitted.outcome is Submission.EXPORTING:
            # Another export is to be waited for; this one is none.
            del journal.unsure[f"operation-{number}"]
            return
        assert submitted.outcome in (Submission.ACCEPTED, Submission.REPEATED), submitted
        del journal.unsure[f"operation-{number}"]
        journal.accepted.append(replace(line, task_id=submitted.task_id, answered=self._world.tick()))
        if submitted.ring:
            self._world.bell.ring(write.catalog_key)

    def _submit(
        self, write: Write, batch: Batch, frames: list[bytes], key: IdempotencyKey | None, *, stalls: bool
    ) -> Submitted:
        """Submit a batch once; a file's chunks are staged one by one before, as they come in."""
        rig, catalog_key, nonce = self._rig, write.catalog_key, new_nonce()
        staged = Upload(rig.client, catalog_key, nonce) if write.operation.builds else None
        for frame in frames if staged else ():
            staged.append(frame)
        if stalls:
            self._world.scheduler.rest(UPLOAD_TTL_MS + 1)
        how: dict[str, Any] = {
            "now_ms": rig.clock(),
            "nonce": nonce,
            "idempotency": key,
            "before": rig.backlog.before_submit(catalog_key, rig.clock()),
            "after": rig.backlog.after_submit(catalog_key, rig.clock()),
        }
        if write.operation is Operation.EXPORT:
            return rig.exports(catalog_key).submit(batch, frames[0], **how)
        touched = digest_ids([read_json(entry)["id"] for entry in write.entries])
        return rig.tail(catalog_key).submit(
            batch, frames if staged is None else staged, growth=growth(batch, frames), touched=touched, **how
        )

    def _change(self, number: int, change: Change) -> None:
        journal = self._world.journals[change.catalog_key]
        if change.back >= len(journal.accepted):
            return
        line = journal.accepted[-1 - change.back]
        sent = self._world.tick()
        if change.rerun:
            journal.maybe_again.append((line, sent))
        elif line.canceled is False:
            line.canceled = None
        try:
            changed = self._rig.tail(change.catalog_key).change_tasks(
                [(line.task_id, TaskChange.RERUN if change.rerun else TaskChange.CANCEL)],
                who="tester",
                now_ms=self._rig.clock(),
                nonce=new_nonce(),
                idempotency=IdempotencyKey(f"key-{number}", f"digest-{number}"),
                before=self._rig.backlog.before_submit(change.catalog_key, self._rig.clock()),
                after=self._rig.backlog.after_submit(change.catalog_key, self._rig.clock()),
            )
        except (TaskConflict, TaskNotFound):
            if change.rerun:
                journal.maybe_again.remove((line, sent))
            return
        except StoreUnavailable:
            return
        if change.rerun:
            journal.maybe_again.remove((line, sent))
            again = replace(
                line, task_id=changed.ids[0], retry_of=line.task_id, canceled=False, sent=sent,
                answered=self._world.tick(),
            )  # fmt: skip
            journal.accepted.append(again)
        else:
            line.canceled = True
            journal.canceled[line.task_id] = self._world.tick()
        if changed.ring:
            self._world.bell.ring(change.catalog_key)

    def _set_rules(self, number: int, ruling: Ruling) -> None:
        """Set the rules of a guard, or remove them, until that is answered."""
        book, name = self._world.guards[ruling.catalog_key], f"operation-{number}"
        book.ask(name, ruling.kind, ruling.rules)
        guards = Guards(self._rig.client, ruling.catalog_key)
        where = ruling.kind, _section(ruling.kind)
        key = IdempotencyKey(f"key-{number}", f"digest-{number}")
        while True:
            how: dict[str, Any] = {"who": name, "now_ms": self._rig.clock(), "idempotency": key}
            try:
                if ruling.rules is None:
                    took_effect, _ = guards.remove(*where, **how)
                else:
                    guard, _ = guards.set_once(*where, ruling.rules, **how)
                    took_effect = guard.changed_by == name
                break
            except StoreUnavailable:
                self._world.scheduler.rest(AGAIN_MS)
        book.answer(name, took_effect=took_effect, tick=self._world.tick())


def _section(kind: Kind) -> str:
    return NO_SECTION if kind is Kind.ITEM_GROUPS else SECTION


def _made(write: Write) -> tuple[Batch, list[bytes]]:
    """Make the batch and its chunks, as the ingress does."""
    section = _section(write.kind)
    if write.operation is Operation.EXPORT:
        part, request = CatalogPart(write.kind), b"{}"
        batch = make_export(part, section, None, FileFormat.JSONL, request_bytes=len(request), origin=NO_ORIGIN)
        return batch, [encode_chunk(Chunk(request, [], array("I")))]
    batch, frames = make_batch(
        write.operation, write.entries, kind=write.kind, force=write.force, on_missing=write.on_missing,
        section=section, chunk_entries=write.chunk_entries,
    )  # fmt: skip
    if write.operation.builds:
        batch = replace(batch, parts=(Part(write.kind, batch.entries, batch.chunks),))
    return replace(batch, notification_emails=write.emails), frames
