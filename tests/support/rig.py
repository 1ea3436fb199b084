"""The core put together by hand: partitions, stores and drainers over one client, one clock and one bell."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import redis

from shared.catalog.reader import Catalog
from shared.codec import decode_chunk, digest_ids
from shared.doorbell import Doorbell
from shared.exports.export_records import Exports
from shared.exports.files import ExportFiles
from shared.idempotency import IdempotencyKey
from shared.keys import CREDENTIALS_USED, STORE_RUNS, CatalogKeys
from shared.model import NO_SECTION, Batch, Kind, OnMissing, Operation
from shared.nonces import new_nonce
from shared.partition.backlog import Backlog
from shared.partition.claim import Claim
from shared.partition.grants import Grant
from shared.partition.growth import TASK_BYTES, growth_of
from shared.partition.heartbeats import Heartbeats
from shared.partition.retention import Retention
from shared.partition.state import PartitionState, read_state
from shared.partition.step_results import StepsTaken
from shared.partition.steps import Step
from shared.partition.submissions import Submission, Submitted, TaskChange
from shared.partition.tail import Tail
from shared.settings import Settings
from shared.tasks.records import Task, Tasks
from tests.support.batches import Entry, entry_bytes, make_batch
from tests.support.by_hand import HandClock, SilentBell
from tests.support.laws import Accepted, check_laws
from tests.support.store_reader import StoreReader
from workers.count.field_counter import FieldCounter
from workers.drain.drainer import Drained, Drainer
from workers.drain.planner import Planner
from workers.drain.puller import Puller
from workers.drain.sweep import Sweep
from workers.drain.task_spans import TaskSpans
from workers.drain.trimming import Trimmer
from workers.export.exporter import Exporter

#: The catalog of tests that need only one.
ACME = "acme"

#: Room for every test; a slice so long that only a test that wants to sees its end.
TEST_SETTINGS = replace(Settings(), slice_s=60.0, exports_url="memory://exports")


def growth(batch: Batch, frames: Sequence[bytes]) -> int:
    """The memory that a batch takes once it is applied, as the ingress estimates it."""
    return TASK_BYTES + sum(growth_of(batch, decode_chunk(frame)) for frame in frames)


#: Opened once: a rig may be made hundreds of times a second.
_export_files = functools.lru_cache(ExportFiles)


@dataclass
class Rig:
    """Everything a test of the core uses, and a journal of what was accepted, for the laws."""

    client: redis.Redis
    clock: HandClock = field(default_factory=HandClock)
    bell: SilentBell = field(default_factory=SilentBell)
    settings: Settings = TEST_SETTINGS
    #: By catalog key, in the order of acceptance.
    accepted: dict[str, list[Accepted]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.backlog = Backlog(self.client)
        self._ticks = 0

    def with_settings(self, **values: Any) -> Rig:
        """The same rig, set differently."""
        rig = replace(self, settings=replace(self.settings, **values))
        rig._ticks = self._ticks
        return rig

    def claim(self, catalog_key: str = ACME, *, holder: str = "one", nonce: str | None = None) -> Claim:
        return Claim(self.client, self.settings, holder, catalog_key, nonce=nonce)

    def retention(self, catalog_key: str = ACME) -> Retention:
        return Retention(self.client, self.settings, catalog_key)

    def state(self, catalog_key: str = ACME) -> PartitionState:
        return read_state(self.client, catalog_key)

    def tail(self, catalog_key: str = ACME) -> Tail:
        return Tail(self.client, self.settings, catalog_key)

    def catalog(self, catalog_key: str = ACME) -> Catalog:
        return Catalog(self.client, catalog_key)

    def keys(self, catalog_key: str = ACME) -> CatalogKeys:
        return CatalogKeys(catalog_key)

    def exports(self, catalog_key: str = ACME) -> Exports:
        return Exports(self.client, self.settings, catalog_key)

    def exporter(self) -> Exporter:
        return Exporter(self.exports, _export_files(self.settings))

    # -- at the tail ---------------------------------------------------------------------------------------------

    def submit_batch(
        self, made: tuple[Batch, list[bytes]], *, catalog_key: str = ACME, nonce: str = "",
        idempotency: IdempotencyKey | None = None, marked: bool = True, tail: Tail | None = None,
        touched: bytes = b"",
    ) -> Submitted:  # fmt: skip
        """Submit a batch as the ingress does; ``marked`` False leaves it out of the backlog."""
        batch, frames = made
        return (tail or self.tail(catalog_key)).submit(
            batch,
            frames,
            now_ms=self.clock(),
            nonce=nonce or new_nonce(),
            growth=growth(batch, frames),
            touched=touched,
            idempotency=idempotency,
            before=self.backlog.before_submit(catalog_key, self.clock()) if marked else (),
            after=self.backlog.after_submit(catalog_key, self.clock()) if marked else (),
        )

    def send(
        self, operation: Operation, entries: Sequence[Entry], *, catalog_key: str = ACME, kind: Kind = Kind.ITEMS,
        section: str = "Products", on_missing: OnMissing = OnMissing.FAIL, force: bool = False,
        chunk_entries: int = 1000, excused: bool = False, **how: Any,
    ) -> int:  # fmt: skip
        """Submit a batch that must be accepted, note it in the journal, and return its task id."""
        section = NO_SECTION if kind is Kind.ITEM_GROUPS else section
        made = make_batch(
            operation, entries, kind=kind, section=section, on_missing=on_missing, force=force,
            chunk_entries=chunk_entries,
        )  # fmt: skip
        sent = self._tick()
        touched = digest_ids([str(json.loads(entry_bytes(entry))["id"]) for entry in entries])
        submitted = self.submit_batch(made, catalog_key=catalog_key, touched=touched, **how)
        assert submitted.outcome is Submission.ACCEPTED, submitted
        batch = Accepted(
            submitted.task_id, kind, operation, list(map(entry_bytes, entries)), section, on_missing, force,
            sent=sent, answered=self._tick(), excused=excused,
        )  # fmt: skip
        self.accepted.setdefault(catalog_key, []).append(batch)
        return submitted.task_id

    def put(self, *entries: Entry, **how: Any) -> int:
        """Send a PUT."""
        return self.send(Operation.PUT, entries, **how)

    def patch(self, *entries: Entry, **how: Any) -> int:
        """Send a PATCH."""
        return self.send(Operation.PATCH, entries, **how)

    def delete(self, *entries: Entry, **how: Any) -> int:
        """Send a DELETE."""
        return self.send(Operation.DELETE, entries, **how)

    def cancel(self, task_id: int, *, catalog_key: str = ACME) -> None:
        """Cancel a task that must still be waiting."""
        self._change(catalog_key, task_id, TaskChange.CANCEL)
        self.journal(task_id, catalog_key).canceled = True

    def rerun(self, task_id: int, *, catalog_key: str = ACME) -> int:
        """Re-run a task that must have ended; returns the new id."""
        sent = self._tick()
        new_id = self._change(catalog_key, task_id, TaskChange.RERUN)
        again = replace(
            self.journal(task_id, catalog_key), task_id=new_id, retry_of=task_id, canceled=False,
            sent=sent, answered=self._tick(),
        )  # fmt: skip
        self.accepted[catalog_key].append(again)
        return new_id

    def journal(self, task_id: int, catalog_key: str = ACME) -> Accepted:
        """The journal's line of one task."""
        return next(batch for batch in self.accepted[catalog_key] if batch.task_id == task_id)

    def _change(self, catalog_key: str, task_id: int, change: TaskChange) -> int:
        changed = self.tail(catalog_key).change_tasks(
            [(task_id, change)],
            who="tester",
            now_ms=self.clock(),
            nonce=new_nonce(),
            before=self.backlog.before_submit(catalog_key, self.clock()) if change is TaskChange.RERUN else (),
            after=self.backlog.after_submit(catalog_key, self.clock()) if change is TaskChange.RERUN else (),
        )
        return changed.ids[0]

    def _tick(self) -> float:
        self._ticks += 1
        return float(self._ticks)

    # -- at the head ---------------------------------------------------------------------------------------------

    def acquire(self, catalog_key: str = ACME, *, holder: str = "one", nonce: str | None = None) -> Grant:
        """Become the owner, which must be possible."""
        grant = self.claim(catalog_key, holder=holder, nonce=nonce).acquire()
        assert isinstance(grant, Grant), grant
        return grant

    def planner(self, catalog_key: str = ACME) -> Planner:
        return Planner(self.catalog(catalog_key), self.settings, self.exporter())

    def plan(self, grant: Grant, catalog_key: str = ACME) -> list[Step]:
        """Decide what the owner does next, to the end."""
        return self.planner(catalog_key).plan(grant, now_ms=self.clock())

    def take(
        self, grant: Grant, steps: Sequence[Step], *, base: str | None = None, wants_more: bool = False
    ) -> StepsTaken:
        """Take steps under a grant, over the client of this rig."""
        lease = self.claim(grant.lease.catalog_key).lease(grant.lease.token)
        base = grant.applied if base is None else base
        return lease.take(base, steps, now_ms=self.clock(), wants_more=wants_more)

    def drainer(
        self,
        *,
        holder: str = "one",
        open_claim: Callable[[str], Claim] | None = None,
        stopping: Callable[[], bool] = lambda: False,
        swept: bool = False,
        task_spans: TaskSpans | None = None,
    ) -> Drainer:
        return Drainer(
            open_claim or functools.partial(self.claim, holder=holder),
            self.catalog,
            self.exporter(),
            self.backlog,
            self.bell,
            self.settings,
            clock=self.clock,
            stopping=stopping,
            swept=swept,
            task_spans=task_spans,
        )

    def drain(self, catalog_key: str = ACME) -> Drained:
        """Drain slice by slice until the partition is empty, or somebody else's, or stuck."""
        drainer = self.drainer()
        while (drained := drainer.drain(catalog_key)) is Drained.YIELDED:
            pass
        return drained

    def sweep(self, drainer: Drainer | None = None) -> Sweep:
        """A sweep to be run by hand."""
        return Sweep(
            Puller(
                drainer or self.drainer(holder="sweep"),
                self.backlog,
                cast(Doorbell, self.bell),
                clock=self.clock,
                linger_s=0.0,
            ),
            self.backlog,
            Heartbeats(self.client),
            self.retention,
            self.exporter(),
            Trimmer(self.client, self.backlog, self.retention),
            self.settings,
            holder="sweep",
            clock=self.clock,
            stop=threading.Event(),
        )

    def count_fields(self) -> None:
        """Count the fields of the items of all catalogs that have changed, as a worker does in the background."""
        FieldCounter(self.client, holder="counter", clock=self.clock, stop=threading.Event(), share=1.0).once()

    def expire_lease(self, catalog_key: str = ACME) -> None:
        """Let the lease run out, as if its owner had been silent for too long."""
        self.client.delete(self.keys(catalog_key).lease)

    # -- what came of it -----------------------------------------------------------------------------------------

    def task(self, task_id: int, catalog_key: str = ACME) -> Task:
        """Read a task that must be there."""
        task = Tasks(self.client, catalog_key).get(task_id)
        assert task is not None, f"task {task_id} is not there"
        return task

    def statuses(self, catalog_key: str = ACME) -> dict[int, str]:
        """The status of every accepted task."""
        return {
            batch.task_id: self.task(batch.task_id, catalog_key).status.value for batch in self.accepted[catalog_key]
        }

    def bodies(
        self, kind: Kind = Kind.ITEMS, *, section: str = "Products", catalog_key: str = ACME
    ) -> dict[str, bytes]:
        """Everything stored of a kind, by id, in the order of the listing."""
        return dict(StoreReader(self.client, catalog_key).entries(kind, section))

    def report(self, task_id: int, catalog_key: str = ACME) -> str:
        """The outcomes of a task's entries."""
        return (self.client.get(self.keys(catalog_key).report(task_id)) or b"").decode()

    def check_laws(self, catalog_key: str = ACME) -> None:
        """Raise LawBroken unless the laws hold for everything that was sent."""
        check_laws(
            self.accepted.get(catalog_key, []),
            StoreReader(self.client, catalog_key),
            safeguard_ratio=self.settings.safeguard_ratio,
            safeguard_floor=self.settings.safeguard_floor,
        )

    def dump(self) -> dict[bytes, bytes]:
        """Every key with its serialized value, without its TTL; not the signs of life of the store and of tokens.

        Nor what was noted of refused writes.
        """
        signs = (STORE_RUNS.encode(), CREDENTIALS_USED.encode())
        keys = (
            key
            for key in self.client.scan_iter(count=1000)
            if key not in signs and not key.endswith(b":refused_writes")
        )
        return {key: self.client.dump(key) for key in keys}
