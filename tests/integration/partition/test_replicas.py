"""With replicas required, every accepted batch is on them, repeats included."""

from __future__ import annotations

import shutil
import tempfile
import threading
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import redis

from shared.codec import encode_chunk
from shared.errors import StoreUnavailable
from shared.idempotency import IdempotencyKey
from shared.model import Batch, CatalogPart, Chunk, Export, Kind, Operation
from shared.nonces import new_nonce
from shared.partition.submissions import Submission, Submitted, TaskChange
from shared.store import id_writes
from shared.waiting import wait_until
from tests.support.batches import items, make_batch
from tests.support.replica import Replica
from tests.support.rig import Rig
from tests.support.store_server import StoreServer

BATCH = make_batch(Operation.PUT, items("a"))
SAYS = IdempotencyKey("scope", "digest")


@pytest.fixture
def replica(client: redis.Redis, store_server: StoreServer) -> Iterator[Replica]:
    folder = Path(tempfile.mkdtemp(prefix="sluice-"))
    made = Replica(folder, store_server)
    yield made
    made.end()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def careful(rig: Rig, replica: Replica, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A rig whose every write has to be had by the replica."""
    monkeypatch.setattr(id_writes, "REPLICATED_MS", 200)
    # A sign of life would be a write too.
    monkeypatch.setattr(id_writes, "ALIVE_EVERY_S", 3600.0)
    return rig.with_settings(min_replicas=1)


T = TypeVar("T")


def elsewhere(call: Callable[[], T]) -> T | StoreUnavailable:
    """Make a call over a connection of its own; returns what it returns, or that it was not answered."""
    said: list[T | StoreUnavailable] = []

    def run() -> None:
        try:
            said.append(call())
        except StoreUnavailable as away:
            said.append(away)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return said[0]


def twice(replica: Replica, call: Callable[[], T]) -> T:
    """Make a call and repeat it while it dozes: both times it is not answered.  Then it is."""
    replica.doze()
    assert isinstance(elsewhere(call), StoreUnavailable)
    assert isinstance(elsewhere(call), StoreUnavailable)
    replica.wake()

    def answered() -> T | None:
        said = elsewhere(call)
        return None if isinstance(said, StoreUnavailable) else said

    said = wait_until(answered, "the replica has it", timeout_s=20)
    assert said is not None
    return said


def test_a_batch_sent_again_is_answered_once_the_replica_has_it(careful: Rig, replica: Replica) -> None:
    submitted = twice(replica, lambda: careful.submit_batch(BATCH, nonce="n", marked=False))
    assert submitted.outcome is Submission.REPEATED
    careful.drain()


def test_so_is_one_with_the_same_idempotency_key(careful: Rig, replica: Replica) -> None:
    """Each time it is another call, with a nonce of its own."""
    submitted = twice(replica, lambda: careful.submit_batch(BATCH, idempotency=SAYS, marked=False))
    assert submitted.outcome is Submission.REPEATED
    careful.drain()


def test_so_is_a_change_of_tasks(careful: Rig, replica: Replica) -> None:
    task_id = careful.put(*items("a"))
    changes = [(task_id, TaskChange.CANCEL)]
    tail = careful.tail()
    changed = twice(replica, lambda: tail.change_tasks(changes, who="t", now_ms=careful.clock(), nonce="n"))
    assert changed.ids == [task_id]


def test_so_is_an_export_that_is_under_way(careful: Rig, replica: Replica) -> None:
    """Whoever asks for another is told of it."""
    export = Batch(
        Kind.ITEMS, Operation.EXPORT, "Products", entries=0, bytes=2, chunks=1, export=Export(CatalogPart.ITEMS)
    )

    def submit() -> Submitted:
        frame = encode_chunk(Chunk(b"{}", [], array("I")))
        return careful.exports().submit(export, frame, now_ms=careful.clock(), nonce=new_nonce())

    assert twice(replica, submit).outcome is Submission.EXPORTING
    careful.drain()
