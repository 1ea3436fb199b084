"""The tail of a partition: append batches, cancel queued ones, re-run ended ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from shared.codec import encode_batch, pack
from shared.errors import KeyUsed, StoreFull, TaskConflict, TaskNotFound
from shared.idempotency import IDEMPOTENCY_TTL_MS, UNNAMED, IdempotencyKey
from shared.keys import AWAKE, keys_of
from shared.model import Batch
from shared.partition.submissions import Submission, Submitted, TaskChange, TasksChanged
from shared.partition.uploads import Upload
from shared.settings import Settings
from shared.store import id_writes, scripts
from shared.store.client import LONGEST_CALL_S, Store
from shared.store.memory import FULL_PERCENT, reserved_key
from shared.store.resending import AGAIN_WITHIN_S, CallNonce
from shared.tasks.entry_history import History

#: How long the reply to a nonce is kept: twice as long as a call with it may be under way.
NONCE_TTL_MS = int(2000 * (AGAIN_WITHIN_S + LONGEST_CALL_S))
#: A frame up to this size is sent with the submit call itself.
SMALL_FRAME_BYTES = 8_192
#: How long a staged upload may wait for its submit.
UPLOAD_TTL_MS = 60_000
#: How long a wake-up may be under way before the sweep takes it for lost.
RUNG_TTL_MS = 2_000

HOUR_MS = 3_600_000

NOTHING_FORCED: Mapping[int, Batch] = {}
NO_GROWTHS: Mapping[int, int] = {}


class Tail:
    """The operations on a catalog's stream that need no lease.

    Every method is one round trip and raises StoreUnavailable if Redis does not answer; calling again is then safe.
    """

    def __init__(self, client: Store, settings: Settings, catalog_key: str) -> None:
        self._client = client
        self._settings = settings
        self._keys = keys_of(catalog_key)
        self._history = History(client, catalog_key)

    def tasks_remaining(self) -> int:
        """Return how many more tasks may be queued now."""
        [waiting] = scripts.run(self._client, ("HGET", self._keys.waiting, "tasks"))
        return max(0, self._settings.queue_tasks - int(waiting or 0))

    def submit(
        self,
        batch: Batch,
        frames: Sequence[bytes] | Upload,
        *,
        now_ms: int,
        nonce: str,
        growth: int,
        touched: bytes = b"",
        idempotency: IdempotencyKey | None = None,
        before: Sequence[scripts.Command] = (),
        after: Sequence[scripts.Command] = (),
    ) -> Submitted:
        """Append a batch and create its task, or refuse all of it.

        Its chunks are given, or staged in an upload, under the nonce of this call.  A repeat with the same nonce gets
        the first reply.  ``growth`` is the memory that it takes once it is applied, see shared/partition/growth.py;
        it is reserved until then.  ``touched`` has a digest of each entry's id, for the history.  ``before`` and
        ``after`` are sent in the same round trip, which then checks whether a worker is awake; if so, no wake-up is
        needed.  Raises StoreFull if Redis has no memory left.
        """
        stage, frame, size = _sent(self._keys.upload(nonce), frames)
        submit = self._writer(scripts.SUBMIT_BATCH.command, nonce, now_ms, idempotency)
        replies = id_writes.write(
            self._client,
            lambda runs: submit(
                runs=runs,
                upload=self._keys.upload(nonce),
                chunks=batch.chunks,
                bytes=size,
                max_bytes=self._settings.queue_bytes,
                entries=batch.entries,
                growth=growth,
                touched=touched,
                history_cap_bytes=self._settings.history_bytes,
                frame=frame,
                facts=_facts(batch),
            ),
            replicas=self._settings.min_replicas,
            before=(*before, *stage),
            after=(*after, ("EXISTS", AWAKE)),
        )
        return read_submitted(replies[len(before) + len(stage)], self._settings, awake=bool(replies[-1]))

    def change_tasks(
        self,
        changes: Sequence[tuple[int, TaskChange]],
        *,
        who: str,
        now_ms: int,
        nonce: str,
        idempotency: IdempotencyKey | None = None,
        forced: Mapping[int, Batch] = NOTHING_FORCED,
        growths: Mapping[int, int] = NO_GROWTHS,
        before: Sequence[scripts.Command] = (),
        after: Sequence[scripts.Command] = (),
    ) -> TasksChanged:
        """Cancel queued tasks and re-run ended ones, all or none; ``before`` and ``after`` as in `submit`.

        A repeat with the same nonce or Idempotency-Key gets the first answer.  ``forced``: batches to run again in
        place of those of their tasks, with the same entries.  ``growths``: what a task takes by now, if that
        may be more than what it reserved at first.  Raises TaskNotFound or TaskConflict, and then nothing has changed.
        """
        change = self._writer(scripts.CHANGE_TASKS.command, nonce, now_ms, idempotency)
        again = [task_id for task_id, change in changes if change is TaskChange.RERUN]
        touched = self._history.copied(again) if self._settings.history_bytes else b""
        replies = id_writes.write(
            self._client,
            lambda runs: change(
                runs=runs,
                exports=self._keys.exports,
                export_files=self._keys.export_files,
                who=who,
                max_bytes=self._settings.queue_bytes,
                kept_cap_bytes=self._settings.payload_bytes,
                history_cap_bytes=self._settings.history_bytes,
                touched=touched,
                forced=_pack_by_id({id_: encode_batch(batch).decode() for id_, batch in forced.items()}),
                growths=_pack_by_id(growths),
                changes=[value for task_id, change in changes for value in (task_id, change)],
            ),
            replicas=self._settings.min_replicas,
            before=before,
            after=after,
        )
        code, second, *ids = replies[len(before)]
        if code not in (b"CHANGED", b"REPEATED"):
            raise _refusal(code.decode(), second)
        return TasksChanged(ids, ring=bool(second), repeated=idempotency is not None and code == b"REPEATED")

    def _writer(
        self,
        command: Callable[..., scripts.Command],
        nonce: str,
        now_ms: int,
        idempotency: IdempotencyKey | None,
    ) -> Callable[..., scripts.Command]:
        """Fill in what both calls have in common."""
        named = idempotency or UNNAMED
        return partial(
            command,
            self._keys.partition,
            minutes=self._keys.minutes(now_ms // HOUR_MS),
            history=self._keys.history,
            reserved=reserved_key(self._client, self._keys),
            nonce=CallNonce(nonce),
            now_ms=now_ms,
            max_tasks=self._settings.queue_tasks,
            full_percent=FULL_PERCENT,
            nonce_ttl_ms=NONCE_TTL_MS,
            rung_ttl_ms=RUNG_TTL_MS,
            idempotency=self._keys.idempotency(named.scope_digest),
            digest=named.request_digest,
            idempotency_ttl_ms=IDEMPOTENCY_TTL_MS,
        )


def _pack_by_id(values: Mapping[int, Any]) -> bytes:
    """Write values by task id as the scripts take them."""
    return pack({str(task_id): value for task_id, value in values.items()}) if values else b""


def read_submitted(reply: Any, settings: Settings, *, awake: bool) -> Submitted:
    """Parse the reply of a script that appends a task; with a worker ``awake`` no wake-up is needed."""
    code, task_id, waiting, ring = reply
    remaining = max(0, settings.queue_tasks - waiting)
    return Submitted(Submission(code.decode()), task_id, remaining, ring=bool(ring) and not awake)


def _facts(batch: Batch) -> tuple[scripts.Argument, ...]:
    """List the fields of a task record that scripts read, and the encoded batch for all others."""
    notify = ("notify", 1) if batch.notification_emails else ()
    builds = ("builds", 1) if batch.operation.builds else ()
    return ("batch", encode_batch(batch), "section", batch.section, "chunks", batch.steps, *notify, *builds)


def _refusal(code: str, task_id: Any) -> Exception:
    match code:
        case "NOT_FOUND":
            return TaskNotFound(f"task {task_id} not found")
        case "NOT_QUEUED":
            return TaskConflict(f"task {task_id} is not QUEUED, so it cannot be canceled")
        case "NOT_ENDED":
            return TaskConflict(f"task {task_id} has not ended, so it cannot be re-run")
        case "PAYLOAD_GONE":
            return TaskConflict(f"the payload of task {task_id} is no longer kept, so it cannot be re-run")
        case "EXPORTING":
            return TaskConflict(f"task {task_id} is an export of this catalog that has not ended")
        case "CONFLICT":
            return KeyUsed()
        case "STORE_FULL":
            return StoreFull("the store has no memory left")
        case _:
            return TaskConflict("too many tasks are queued; try again when some have ended")


def _sent(upload: str, frames: Sequence[bytes] | Upload) -> tuple[list[scripts.Command], bytes, int]:
    """Return the commands that stage frames before the submit, the frame in its call, and their size in bytes.

    Big frames are staged by plain commands: submit then renames a key instead of copying bytes.  For a small frame
    those commands would cost more than the copy.
    """
    if isinstance(frames, Upload):
        return [], b"", frames.bytes
    size = sum(map(len, frames))
    if len(frames) == 1 and size <= SMALL_FRAME_BYTES:
        return [], frames[0], size
    # A transaction: frames without their TTL would stay forever.
    stage: list[scripts.Command] = [
        ("MULTI",),
        ("UNLINK", upload),
        *(("RPUSH", upload, frame) for frame in frames),
        ("PEXPIRE", upload, UPLOAD_TTL_MS),
        ("EXEC",),
    ]
    return stage, b"", size
