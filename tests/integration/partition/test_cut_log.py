"""The server's log cut at any byte: what comes back is what some moment left, whole."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model import Kind, Status
from tests.support.batches import items, named, variations
from tests.support.key_checker import check_keys
from tests.support.laws import Accepted, Model, read_json, same
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer, running_store

#: Cuts that are tried; each starts a server.
CUTS = int(os.environ.get("LOG_CUTS", "25"))
#: Entries in a chunk: several chunks in a batch that is quickly applied.
CHUNK = 40
#: Where it is cut, as a part of so many: any byte.
FINE = 10**9


@dataclass(frozen=True)
class Recorded:
    """A log with everything in it, and what was sent meanwhile."""

    folder: Path
    server: StoreServer
    log: bytes
    accepted: list[Accepted]


@pytest.fixture(scope="module")
def recorded() -> Iterator[Recorded]:
    with running_store() as server, server.connect() as client:
        rig = Rig(client)
        live(rig)
        server.kill()
        yield Recorded(server.log.parent, server, server.log.read_bytes(), rig.accepted[ACME])


def live(rig: Rig) -> None:
    """Have everything happen that writes: submits, begins, chunks, failures, cancels, re-runs, retention."""
    rig.put(*items(*(f"i{number}" for number in range(5 * CHUNK))), chunk_entries=CHUNK)
    rig.put(*variations("i1", *map(str, range(CHUNK))), kind=Kind.VARIATIONS)
    rig.cancel(rig.put(*items("never")))
    slices = rig.with_settings(slice_s=0.0)
    slices.drainer().drain(ACME)
    rig.patch(*({"id": f"i{number}", "name": "patched"} for number in range(3 * CHUNK)), chunk_entries=CHUNK)
    rig.patch(*named("missing"))
    slices.drain()
    rig.delete(*named("i1", "i2"))
    rig.rerun(2)
    rig.put(*items("late"))
    rig.drain()
    rig.clock.advance(rig.settings.payload_retention_s * 1000 + 1)
    rig.retention().retire(now_ms=rig.clock(), limit=100)
    rig.put(*items("i2", "last"))


@settings(max_examples=CUTS)
@given(cut=st.integers(min_value=0, max_value=FINE))
def test_a_log_cut_anywhere_has_no_half_of_anything(recorded: Recorded, cut: int) -> None:
    """No submit, no chunk, no end of a task; and everything goes on from there, as the laws have it."""
    server = recorded.server
    server.log.write_bytes(recorded.log[: len(recorded.log) * cut // FINE])
    server.start()
    try:
        with server.connect() as client:
            rig = Rig(client)
            check_keys(client)
            there = {int(member) for member in client.zrange(rig.keys().tasks, 0, -1)}
            # What was lost later may be a cancel.
            left = [dataclasses.replace(batch, canceled=None) for batch in recorded.accepted if batch.task_id in there]
            assert [batch.task_id for batch in left] == list(range(1, len(left) + 1))
            assert_applied_as_told(rig, left)
            rig.accepted[ACME] = left
            rig.expire_lease()
            if left:
                rig.drain()
            rig.check_laws()
            check_keys(client)
    finally:
        server.kill()


def assert_applied_as_told(rig: Rig, batches: list[Accepted]) -> None:
    """Each task's entries are there as far as its record tells: whole chunks, and those only."""
    model = Model()
    for batch in batches:
        task = rig.task(batch.task_id)
        if task.status in (Status.IN_PROGRESS, Status.DONE):
            model.apply(dataclasses.replace(batch, entries=batch.entries[: task.entries_done]))
    for kind in (Kind.ITEMS, Kind.VARIATIONS):
        stored = {entry_id: read_json(body) for entry_id, body in rig.bodies(kind).items()}
        assert same(stored, model.there(kind, "Products"))
