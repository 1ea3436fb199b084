"""The exports of a catalog, as the store knows them; their files lie elsewhere, see shared/export_files.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared import replicas, scripts
from shared.codec import encode_batch
from shared.keys import AWAKE, CatalogKeys, padded
from shared.model import TERMINAL, Batch
from shared.partitions import NONCE_TTL_MS, RUNG_TTL_MS
from shared.settings import Settings
from shared.store import Store
from shared.store_runs import RUNS
from shared.submissions import Submission, Submitted

#: Exports whose files are looked after in one call.
STEP = 100


@dataclass(frozen=True, slots=True)
class Written:
    """How far an export has come."""

    pieces: int
    #: Where the next piece begins; '' at the start.
    cursor: str


class Exports:
    """The exports of one catalog.  Every call is one or two round trips; raises StoreUnavailable."""

    def __init__(self, client: Store, settings: Settings, catalog_key: str) -> None:
        self.catalog_key = catalog_key
        self._client = client
        self._settings = settings
        self._keys = CatalogKeys(catalog_key)

    def submit(
        self,
        batch: Batch,
        frame: bytes,
        *,
        now_ms: int,
        nonce: str,
        before: Sequence[scripts.Command] = (),
        after: Sequence[scripts.Command] = (),
    ) -> Submitted:
        """Append an export, or name the one that has not ended.

        ``frame`` is the request as a chunk without entries.  The rest is as in `Partition.submit`.
        """
        keys, settings = self._keys, self._settings
        facts = ("batch", encode_batch(batch), "section", batch.section, "chunks", batch.chunks)
        command = scripts.SUBMIT_EXPORT.command(
            (*keys.partition, keys.exports, keys.export_files),
            (nonce, now_ms, RUNS, frame, settings.queue_tasks, NONCE_TTL_MS, RUNG_TTL_MS, *facts),
        )
        replies = replicas.write(
            self._client, command, wanted=settings.min_replicas, before=before, after=(*after, ("EXISTS", AWAKE))
        )
        code, task_id, waiting, ring = replies[len(before)]
        ring = bool(ring) and not replies[-1]
        return Submitted(Submission(code.decode()), task_id, max(0, settings.queue_tasks - waiting), ring)

    def written(self, task_id: int) -> Written:
        """Tell how far an export has come."""
        pieces, cursor = scripts.run(
            self._client, ("LLEN", self._keys.pieces(task_id)), ("HGET", self._keys.task(task_id), "cursor")
        )
        return Written(pieces, (cursor or b"").decode())

    def names(self, task_id: int) -> list[str]:
        """List the files of an export, in order; none once they are removed."""
        [names] = scripts.run(self._client, ("LRANGE", self._keys.pieces(task_id), 0, -1))
        return [name.decode() for name in names]

    def expired(self, now_ms: int) -> list[int]:
        """List exports whose files shall go, a few at a time: their time is up, or they ended as nothing."""
        due = ("ZRANGE", self._keys.export_files, "-inf", now_ms, "BYSCORE", "LIMIT", 0, STEP)
        [members] = scripts.run(self._client, due)
        task_ids = [int(member) for member in members]
        statuses = scripts.run(self._client, *(("HGET", self._keys.task(task_id), "status") for task_id in task_ids))
        found = zip(task_ids, statuses, strict=True)
        return [task_id for task_id, status in found if status is None or status.decode() in TERMINAL]

    def forget_files(self, task_id: int) -> None:
        """Note that an export has no files any more; and of one without a record, that it was one."""
        keys = self._keys
        [known] = scripts.run(self._client, ("EXISTS", keys.task(task_id)))
        scripts.run(
            self._client,
            ("UNLINK", keys.pieces(task_id)),
            *([] if known else [("ZREM", keys.exports, padded(task_id))]),
            ("ZREM", keys.export_files, padded(task_id)),
        )
