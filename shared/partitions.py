"""A partition: all that can be done to the stream of one catalog, each a script."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from typing import Any

from shared import replicas, scripts
from shared.codec import encode_batch
from shared.errors import StoreFull, TaskConflict, TaskNotFound
from shared.keys import AWAKE, CatalogKeys
from shared.leases import Answer, Grant, Progress, Refusal
from shared.model import Batch
from shared.owning import read_grant, read_progress
from shared.settings import Settings
from shared.states import PartitionState, read_states
from shared.step_commands import StepCommands
from shared.steps import Commit, Step, ends_round
from shared.store import Store
from shared.store_runs import RUNS
from shared.submissions import Change, IdempotencyKey, Submission, Submitted
from shared.uploads import Upload

#: How long the answer to a nonce is kept: longer than any client of ours goes on re-sending.
NONCE_TTL_MS = 60_000
#: A frame up to this goes along with the call of submit.
SMALL_FRAME_BYTES = 8_192
#: How long a staged upload may wait for its submit.
UPLOAD_TTL_MS = 60_000
#: How long an Idempotency-Key is remembered.
IDEMPOTENCY_TTL_MS = 24 * 3600 * 1000
#: How long a partition is left alone after its owner ran into trouble.
PAUSE_MS = 1_000
#: How long a wake-up may be under way before the sweep takes it for lost.
RUNG_TTL_MS = 2_000

HOUR_MS = 3_600_000


_chance = random.Random()
os.register_at_fork(after_in_child=_chance.seed)


def new_nonce() -> str:
    """Make a name that nobody else will; it is no secret, so no random bytes of the kernel's are spent on it."""
    return f"{_chance.getrandbits(64):016x}"


class Partition:
    """The stream of one catalog and what belongs to it.

    Every method is one round trip and raises StoreUnavailable if Redis does not answer; calling again is then safe.
    """

    def __init__(self, client: Store, settings: Settings, catalog_key: str) -> None:
        self.catalog_key = catalog_key
        self.keys = CatalogKeys(catalog_key)
        self._client = client
        self._settings = settings
        self._lease_ttl_ms = int(settings.lease_ttl_s * 1000)

    # -- at the tail ---------------------------------------------------------------------------------------------

    def submit(
        self,
        batch: Batch,
        frames: Sequence[bytes] | Upload,
        *,
        now_ms: int,
        nonce: str,
        touched: bytes = b"",
        idempotency: IdempotencyKey | None = None,
        before: Sequence[scripts.Command] = (),
        after: Sequence[scripts.Command] = (),
    ) -> Submitted:
        """Append a batch and create its task, or refuse it whole.

        Its chunks come along, or were staged in an upload, under the nonce of this call.  A repeat with the same nonce
        gets the first answer.  ``touched`` has a digest of each entry's id, for the history.  ``before`` and ``after``
        are sent along, in this order; after them it is looked whether some worker is awake, who need not be rung for.
        Raises StoreFull if Redis has no memory left.
        """
        keys, settings = self.keys, self._settings
        upload, digest = keys.upload(nonce), idempotency.request_digest if idempotency else ""
        stage, frame, size = _sent(upload, frames)
        submit = scripts.SUBMIT_BATCH.command(
            (
                *keys.partition, upload, keys.idempotency(idempotency.scope_digest if idempotency else ""),
                *self._told(now_ms),
            ),
            (
                nonce, now_ms, RUNS, batch.chunks, size, settings.queue_tasks, settings.queue_bytes,
                NONCE_TTL_MS, RUNG_TTL_MS, digest, IDEMPOTENCY_TTL_MS,
                batch.entries, touched, settings.history_bytes, frame, *self._facts(batch),
            ),
        )  # fmt: skip
        replies = replicas.write(
            self._client, submit, wanted=settings.min_replicas, before=(*before, *stage),
            after=(*after, ("EXISTS", AWAKE)),
        )  # fmt: skip
        code, task_id, waiting, ring = replies[len(before) + len(stage)]
        ring = bool(ring) and not replies[-1]
        return Submitted(Submission(code.decode()), task_id, max(0, settings.queue_tasks - waiting), ring)

    def _told(self, now_ms: int) -> tuple[str, str]:
        """Name the keys in which scripts note what happens, for people."""
        return self.keys.minutes(now_ms // HOUR_MS), self.keys.history

    @staticmethod
    def _facts(batch: Batch) -> tuple[scripts.Argument, ...]:
        """List the fields of a task record that scripts need to see, and the batch for all others."""
        notify = ("notify", 1) if batch.notification_emails else ()
        builds = ("builds", 1) if batch.operation.builds else ()
        return ("batch", encode_batch(batch), "section", batch.section, "chunks", batch.steps, *notify, *builds)

    def change_tasks(
        self,
        changes: Sequence[tuple[int, Change]],
        *,
        who: str,
        now_ms: int,
        nonce: str,
        before: Sequence[scripts.Command] = (),
        after: Sequence[scripts.Command] = (),
    ) -> tuple[list[int], bool]:
        """Cancel waiting tasks and re-run ended ones, all or none; ``before`` and ``after`` as in `submit`.

        Returns the ids of the canceled and of the new tasks, in the order asked for, and whether to ring.
        Raises TaskNotFound or TaskConflict, and then nothing has changed.
        """
        settings = self._settings
        pairs = [value for task_id, change in changes for value in (task_id, change)]
        args = (
            nonce, now_ms, RUNS, who, settings.queue_tasks, settings.queue_bytes, settings.payload_bytes,
            NONCE_TTL_MS, RUNG_TTL_MS, *pairs,
        )  # fmt: skip
        keys = (*self.keys.partition, *self._told(now_ms), self.keys.exports, self.keys.export_files)
        command = scripts.CHANGE_TASKS.command(keys, args)
        replies = replicas.write(self._client, command, wanted=settings.min_replicas, before=before, after=after)
        code, second, *ids = replies[len(before)]
        match code.decode():
            case "CHANGED":
                return ids, bool(second)
            case "NOT_FOUND":
                raise TaskNotFound(f"task {second} not found")
            case "NOT_QUEUED":
                raise TaskConflict(f"task {second} is not QUEUED, so it cannot be canceled")
            case "NOT_ENDED":
                raise TaskConflict(f"task {second} has not ended, so it cannot be re-run")
            case "PAYLOAD_GONE":
                raise TaskConflict(f"the payload of task {second} is no longer kept, so it cannot be re-run")
            case "EXPORTING":
                raise TaskConflict(f"task {second} is an export of this catalog that has not ended")
            case "STORE_FULL":
                raise StoreFull("the store has no memory left")
            case _:
                raise TaskConflict("too many tasks are queued; try again when some have ended")

    # -- at the head: what only the owner may do -------------------------------------------------------------------

    def acquire(self, holder: str, *, nonce: str) -> Grant | Refusal:
        """Become the owner, if there is work and no owner.  A repeat with the same nonce is handed what comes next."""
        [reply] = self.send(self.acquire_command(holder, nonce=nonce))
        return self.granted(reply)

    def acquire_command(self, holder: str, *, nonce: str) -> scripts.Command:
        """The command of `acquire`, to be sent together with those of others."""
        args = (nonce, holder, self._lease_ttl_ms, self._settings.max_stalls)
        return scripts.ACQUIRE_LEASE.command(self.keys.partition, args)

    def granted(self, reply: Any) -> Grant | Refusal:
        """Read its answer."""
        return read_grant(reply)

    def begin(self, token: str, task_id: int, *, now_ms: int) -> Answer:
        """Mark the head as being worked on; it can no longer be canceled."""
        return Answer(self._call(scripts.BEGIN, (token, task_id, now_ms, self._lease_ttl_ms)).decode())

    def take(self, token: str, base: str, steps: Sequence[Step], *, now_ms: int, wants_more: bool) -> Progress:
        """Commit or fail, step by step in order, in one round trip.

        Each step holds only if the one before it did; ``base`` names the last commit before them.  Sending them again
        after a lost answer changes nothing.  Steps of a plan are sent one by one, as they are worked out; an error in
        that leaves those before it taken or not.
        """
        commands = self.take_commands(token, base, steps, now_ms=now_ms, wants_more=wants_more)
        return self.progressed(steps, scripts.run_unfolding(self._client, self.keys.stream, commands))

    def take_commands(
        self, token: str, base: str, steps: Sequence[Step], *, now_ms: int, wants_more: bool
    ) -> Iterator[scripts.Command]:
        """The commands of `take`, one a step, to be sent together with those of others."""
        write = StepCommands(self.keys, self._settings, token).write
        for number, step in enumerate(steps, 1):
            more = int(wants_more and ends_round(steps, number, step))
            yield write(base, step, told=self._told(now_ms), now_ms=now_ms, more=more)
            if isinstance(step, Commit):
                base = step.name

    def progressed(self, steps: Sequence[Step], replies: Sequence[Any]) -> Progress:
        """Read the answers to the commands of some steps."""
        return read_progress(replies)

    def send(self, *commands: scripts.Command) -> list[Any]:
        """Send commands, also those of other partitions, in one round trip, of a cluster one to each server."""
        return scripts.run_apart(self._client, *commands)

    def frame(self, task_id: int, chunk: int) -> bytes | None:
        """Read one chunk of a payload."""
        [frame] = scripts.run(self._client, ("LINDEX", self.keys.payload(task_id), chunk))
        return frame  # type: ignore[no-any-return]

    def counted(self, task_id: int, name: str) -> int:
        """Read one of the counts of a task."""
        [count] = scripts.run(self._client, ("HGET", self.keys.task(task_id), name))
        return int(count or 0)

    def extend(self, token: str) -> bool:
        """Hold on for another while; False if the partition is somebody else's now."""
        return bool(self._call(scripts.EXTEND_LEASE, (token, self._lease_ttl_ms)) == b"OK")

    def yield_(self, token: str, *, troubled: bool = False) -> bool:
        """Give the partition back with work waiting, marked as rung for; ring *after* this.

        ``troubled`` counts as a stall, and nobody takes the partition over for a moment.
        """
        return bool(self.send(self.yield_command(token, troubled=troubled)) == [b"OK"])

    def yield_command(self, token: str, *, troubled: bool = False) -> scripts.Command:
        """The command of `yield_`, to be sent together with those of others."""
        args = (token, RUNG_TTL_MS, PAUSE_MS if troubled else 0)
        return scripts.YIELD_LEASE.command(self.keys.partition, args)

    def excuse(self, nonce: str) -> None:
        """Give the partition back late, because the store was out of sight: that was no stall."""
        self._call(scripts.EXCUSE_OWNER, (nonce,))

    def release(self, token: str) -> bool:
        """Give the partition back if nothing waits in it; False if something does or it is somebody else's now."""
        return bool(self._call(scripts.RELEASE_LEASE, (token,)) == b"RELEASED")

    def retire(self, *, now_ms: int, limit: int, payloads_before_ms: int = 0) -> int:
        """Let go of at most ``limit`` tasks and payloads whose time is up; returns how many went.

        Payloads that ended before ``payloads_before_ms`` go as well.
        """
        settings = self._settings
        tasks_before = now_ms - settings.task_retention_s * 1000
        payloads_before = max(payloads_before_ms, now_ms - settings.payload_retention_s * 1000)
        command = scripts.RETIRE_TASKS.command(
            (*self.keys.partition, self.keys.history, self.keys.exports), (tasks_before, payloads_before, limit)
        )
        return int(scripts.run(self._client, command)[0])

    def state(self) -> PartitionState:
        """Look at the partition from outside, for people."""
        [state] = read_states(self._client, [self.catalog_key])
        return state

    def _call(self, script: scripts.Script, args: Sequence[scripts.Argument]) -> Any:
        return scripts.run(self._client, script.command(self.keys.partition, args))[0]


def _sent(upload: str, frames: Sequence[bytes] | Upload) -> tuple[list[scripts.Command], bytes, int]:
    """Say how frames get to submit: by which commands before it, which of them in its call; and their bytes.

    Big ones are put where submit will find them, by plain commands: it then renames a key instead of copying bytes.
    For a small one eight commands would cost more than the copy.
    """
    if isinstance(frames, Upload):
        return [], b"", frames.bytes
    size = sum(map(len, frames))
    if len(frames) == 1 and size <= SMALL_FRAME_BYTES:
        return [], frames[0], size
    # Whole or not at all: a part of it, without the TTL, would stay for ever.
    stage: list[scripts.Command] = [
        ("MULTI",),
        ("UNLINK", upload),
        *(("RPUSH", upload, frame) for frame in frames),
        ("PEXPIRE", upload, UPLOAD_TTL_MS),
        ("EXEC",),
    ]
    return stage, b"", size
