"""The records of a catalog's exports in the store; for their files see shared/exports/files.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from shared.codec import encode_batch
from shared.idempotency import IDEMPOTENCY_TTL_MS, UNNAMED, IdempotencyKey
from shared.keys import AWAKE, keys_of, padded
from shared.model import TERMINAL, Batch
from shared.partition.growth import TASK_BYTES
from shared.partition.submissions import Submitted
from shared.partition.tail import NONCE_TTL_MS, RUNG_TTL_MS, read_submitted
from shared.settings import Settings
from shared.store import id_writes, scripts
from shared.store.client import Store
from shared.store.memory import FULL_PERCENT, reserved_key
from shared.store.resending import CallNonce

#: Most exports processed in one call.
STEP = 100


@dataclass(frozen=True, slots=True)
class Written:
    """The progress of an export."""

    pieces: int
    #: The start of the next piece; '' at the beginning.
    cursor: str


class Exports:
    """The exports of one catalog.  Every call is one or two round trips; raises StoreUnavailable."""

    def __init__(self, client: Store, settings: Settings, catalog_key: str) -> None:
        self.catalog_key = catalog_key
        self._client = client
        self._settings = settings
        self._keys = keys_of(catalog_key)

    def submit(
        self,
        batch: Batch,
        frame: bytes,
        *,
        now_ms: int,
        nonce: str,
        idempotency: IdempotencyKey | None = None,
        before: Sequence[scripts.Command] = (),
        after: Sequence[scripts.Command] = (),
    ) -> Submitted:
        """Append an export, or return the one that has not ended.

        ``frame`` is the request as a chunk without entries.  The rest is as in `Tail.submit`.
        """
        keys, settings, named = self._keys, self._settings, idempotency or UNNAMED
        facts = ("batch", encode_batch(batch), "section", batch.section, "chunks", batch.chunks)
        submit = partial(
            scripts.SUBMIT_EXPORT.command,
            keys.partition,
            exports=keys.exports,
            export_files=keys.export_files,
            reserved=reserved_key(self._client, keys),
            nonce=CallNonce(nonce),
            now_ms=now_ms,
            frame=frame,
            growth=TASK_BYTES,
            full_percent=FULL_PERCENT,
            max_tasks=settings.queue_tasks,
            nonce_ttl_ms=NONCE_TTL_MS,
            rung_ttl_ms=RUNG_TTL_MS,
            idempotency=keys.idempotency(named.scope_digest),
            digest=named.request_digest,
            idempotency_ttl_ms=IDEMPOTENCY_TTL_MS,
            facts=facts,
        )
        replies = id_writes.write(
            self._client,
            lambda runs: submit(runs=runs),
            replicas=settings.min_replicas,
            before=before,
            after=(*after, ("EXISTS", AWAKE)),
        )
        return read_submitted(replies[len(before)], settings, awake=bool(replies[-1]))

    def written(self, task_id: int) -> Written:
        """Read the progress of an export."""
        pieces, cursor = scripts.run(
            self._client, ("LLEN", self._keys.pieces(task_id)), ("HGET", self._keys.task(task_id), "cursor")
        )
        return Written(pieces, (cursor or b"").decode())

    def names(self, task_id: int) -> list[str]:
        """List the files of an export, in order; none once they are removed."""
        [names] = scripts.run(self._client, ("LRANGE", self._keys.pieces(task_id), 0, -1))
        return [name.decode() for name in names]

    def expired(self, now_ms: int) -> list[int]:
        """List exports whose files must be removed, a few at a time: they expired, or did not end as DONE."""
        files = self._keys.export_files
        [members] = scripts.run(self._client, self._look(now_ms))
        task_ids = [int(member) for member in members]
        # An export that is in progress is among them.  It may end meanwhile, which is when it learns how long its files
        # are kept: so that is read behind its status.
        looks = [
            look
            for task_id in task_ids
            for look in (("HGET", self._keys.task(task_id), "status"), ("ZSCORE", files, padded(task_id)))
        ]
        found = scripts.run(self._client, *looks)
        return [
            task_id
            for task_id, status, until_ms in zip(task_ids, found[::2], found[1::2], strict=True)
            if (status is None or status.decode() in TERMINAL) and until_ms is not None and until_ms <= now_ms
        ]

    def _look(self, now_ms: int) -> scripts.Command:
        return ("ZRANGE", self._keys.export_files, "-inf", now_ms, "BYSCORE", "LIMIT", 0, STEP)

    def forget_files(self, task_id: int) -> None:
        """Record that an export has no files any more; without a task record, forget the export too."""
        keys = self._keys
        [known] = scripts.run(self._client, ("EXISTS", keys.task(task_id)))
        scripts.run(
            self._client,
            ("UNLINK", keys.pieces(task_id)),
            *([] if known else [("ZREM", keys.exports, padded(task_id))]),
            ("ZREM", keys.export_files, padded(task_id)),
        )


def with_files_to_remove(exports: Sequence[Exports], now_ms: int) -> list[Exports]:
    """Return those for which `Exports.expired` may list any; in one round trip (in a cluster: one to each server)."""
    if not exports:
        return []
    found = scripts.run_apart(exports[0]._client, *(each._look(now_ms) for each in exports))
    return [each for each, members in zip(exports, found, strict=True) if members]
