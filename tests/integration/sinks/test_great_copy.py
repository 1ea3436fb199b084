"""A great catalogue is copied anew while it changes; `make resync` does it with a million entries."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

import pytest

from shared.model import Kind
from tests.support.batches import Entry
from tests.support.sinks import NAME, DeliveryRig, running

ENTRIES = int(os.environ.get("RESYNC_ENTRIES", "5000"))
#: Entries of one batch.
BATCH = 1000
#: More turns than any copy takes.
TURNS = 100_000


def entry(number: int, version: int) -> Entry:
    return b'{"id":"i%07d","name":"Version %d","data":{"price":%d}}' % (number, version, number % 977)


@pytest.fixture
def filled(any_sink: DeliveryRig) -> DeliveryRig:
    for first in range(0, ENTRIES, BATCH):
        any_sink.rig.put(*(entry(number, 0) for number in range(first, min(first + BATCH, ENTRIES))))
        any_sink.rig.drain()
    return any_sink


def test_a_copy_beside_live_changes_lacks_none_of_them(filled: DeliveryRig, measured: Callable[[str], None]) -> None:
    """Whatever is put, changed and deleted while it is made: of entries that it has already and that it lacks yet."""
    sink, chance = filled, random.Random(7)
    version = 0

    def change() -> None:
        nonlocal version
        version += 1
        some = [chance.randrange(ENTRIES + ENTRIES // 10) for _ in range(50)]
        sink.rig.put(*(entry(number, version) for number in set(some[:40])))
        sink.rig.delete(*({"id": f"i{number:07d}"} for number in set(some[40:])))
        sink.rig.put({"id": f"v{version % 500}", "item_id": f"i{some[0]:07d}"}, kind=Kind.VARIATIONS)
        sink.rig.drain()

    sink.add()
    catch_up(sink)
    sink.sinks.resync(NAME.name)
    start = time.monotonic()
    with running(change):
        catch_up(sink)
    seconds = time.monotonic() - start
    catch_up(sink)
    found = sink.verify()
    assert [(one.missing, one.extra, one.stale) for one in found] == [([], [], [])] * 2
    assert sum(one.compared for one in found) > ENTRIES * 9 // 10
    assert version > 0
    assert sink.there() == sink.known()
    measured(f"{type(sink).__name__}: {ENTRIES} entries copied anew in {seconds:.1f} s, beside {version} x 3 tasks")


def catch_up(sink: DeliveryRig) -> None:
    """Take turns until the wanted copy is live."""
    for _ in range(TURNS):
        assert sink.turn() == "delivered", sink.state()
        state = sink.state()
        if state.phase == "live" and state.version == sink.sinks.get(NAME.name).version:
            return
    raise AssertionError(sink.state())
