"""Destinations that are slow for ever, dead beside others, or not wanted any more."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from shared.model import Kind
from shared.sinks import deliver_in_parts
from shared.sinks.destination import CopyChange, DestinationAway
from shared.sinks.mapping import DEFAULT
from shared.sinks.sink_lease import read_state
from shared.sinks.sinks import SinkName
from shared.waiting import wait_until
from tests.support.batches import items, variations
from tests.support.postgres_sink import SinkRig
from tests.support.rig import ACME
from tests.support.sink_stand_ins import delivering
from tests.support.sinks import NAME, DeliveryRig
from workers.sinks.sink_sweep import SinkSweep
from workers.sinks.turn import LONGEST_REST_MS

#: Entries that a slow destination takes in time.
IN_TIME = 100


def sweep(sink: DeliveryRig) -> SinkSweep:
    """A sweep that takes the turns itself."""

    def no_broker(name: SinkName) -> None:
        raise ConnectionRefusedError

    return SinkSweep(
        sink.rig.client,
        no_broker,
        sink.turns.turn,
        clock=sink.rig.clock,
        stop=threading.Event(),
        close_others=sink.turns.connections.close_others,
    )


def test_a_destination_that_never_ends_much_in_time_gets_all_in_parts(
    any_sink: DeliveryRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between them the copy says that it is not exact."""
    monkeypatch.setattr(deliver_in_parts, "FAILED_S", 0.0)
    sink, exact = any_sink, list[bool]()

    def slow(real: Any, change: CopyChange) -> Any:
        if change.entries > IN_TIME:
            raise DestinationAway("canceling statement due to statement timeout")
        found = real(change)
        exact.append(sink.position()[1])
        return found

    sink.add()
    sink.settle()
    sink.turns = sink.worker(connect=delivering(slow))
    sink.rig.put(*items(*(f"i{number:04d}" for number in range(1000))))
    sink.rig.put(*variations("i0001", "v1", "v2"), kind=Kind.VARIATIONS)
    sink.rig.drain()

    def delivered() -> bool:
        sink.rig.clock.advance(2 * LONGEST_REST_MS)
        return sink.turn() == "delivered"

    wait_until(delivered, "it has all", timeout_s=100)
    sink.check()
    assert len(exact) >= 1002 // IN_TIME
    assert exact == [False] * (len(exact) - 1) + [True]
    assert [found.wrong for found in sink.verify()] == [0, 0]


def test_a_sink_whose_destination_is_dead_delays_no_other_of_its_catalog(any_sink: DeliveryRig) -> None:
    sink, dead = any_sink, SinkName(ACME, "dead")
    sink.sinks.add(dead.name, "files+file:///dev/null/feed", section="Products", mapping=DEFAULT, now_ms=0)
    sink.add()
    swept = sweep(sink)
    for number in range(3):
        sink.rig.put({"id": f"i{number}", "name": "New"})
        sink.rig.drain()
        sink.rig.clock.advance(2 * LONGEST_REST_MS)
        for _ in range(2):
            swept.once()
        sink.check()
        assert (sink.state().phase, sink.state().failures) == ("live", 0)
        assert read_state(sink.rig.client, dead).phase == "failing"
    assert read_state(sink.rig.client, dead).failures == 3, "it rests in between"
    sink.sinks.remove(dead.name)


@pytest.mark.parametrize("any_sink", ["postgres"], indirect=True)
@pytest.mark.parametrize("what", ["remove", "pause"])
def test_nobody_is_connected_to_the_database_of_a_sink_that_is_not_delivered_to(any_sink: SinkRig, what: str) -> None:
    """It may be about to be dropped."""
    sink = any_sink
    sink.add()
    swept = sweep(sink)
    swept.once()
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice%%' AND datname = %s"
    name = sink.database.info.dbname
    assert sink.query(count, name) == [(1,)], "kept for the next turn"
    swept.once()
    assert sink.query(count, name) == [(1,)]
    getattr(sink.sinks, what)(NAME.name)
    swept.once()
    wait_until(lambda: sink.query(count, name) == [(0,)], "it is closed", timeout_s=5)
