"""What operators see of sinks and do with dead letters: lag, entries that differ, another attempt."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model import Kind
from shared.sinks.destination import DestinationAway
from shared.sinks.mapping import Mapping
from shared.sinks.postgres.destination_postgres import PostgresDestination
from shared.telemetry import metrics
from shared.telemetry.gauges import look
from tests.support.batches import items, variations
from tests.support.postgres_sink import SinkRig
from workers.sinks import checking
from workers.sinks.checking import REST_MS, STEP_MS


def told(sink: SinkRig) -> dict[str, float]:
    """The metrics of the sink, by name."""
    text = metrics.exposition(lambda: look(sink.rig.client, sink.rig.clock()))[0].decode()
    lines = [line.rpartition(" ") for line in text.splitlines() if '{sink="acme/products"}' in line]
    return {series.partition("{")[0].removeprefix("sluice_sink_"): float(value) for series, _, value in lines}


def test_the_lag_of_a_sink_is_told_in_seconds_and_tasks_and_what_was_delivered(sink: SinkRig) -> None:
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    assert told(sink) | {"entries": 2, "lag_seconds": 0, "lag_tasks": 0} == told(sink)
    sink.rig.put({"id": "a", "name": "A"})
    sink.rig.drain()
    sink.rig.clock.advance(5_000)
    sink.rig.put({"id": "b", "name": "B"})
    sink.rig.drain()
    sink.rig.clock.advance(2_000)
    assert told(sink) | {"lag_seconds": 7, "lag_tasks": 2} == told(sink)
    sink.settle()
    assert told(sink) | {"entries": 4, "lag_seconds": 0, "lag_tasks": 0} == told(sink)


def test_a_sink_is_compared_all_the_time_a_little_after_each_turn(
    sink: SinkRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps go on where the last one ended, also by another worker; then it rests, and begins anew."""
    monkeypatch.setattr(checking.check_step, "__kwdefaults__", {"pages": 1})
    sink.rig.put(*items(*(f"i{number:04d}" for number in range(1200))))
    sink.rig.put(*variations("i0001", "v1"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add()
    sink.settle()
    sink.database.execute("UPDATE products SET name = 'Mine' WHERE id IN ('i0700', 'i1100')")
    sink.database.execute("DELETE FROM products_variations")
    for _ in range(3):
        assert told(sink) | {"differences": 0, "checked_timestamp_seconds": 0} == told(sink)
        sink.rig.clock.advance(STEP_MS)
        sink.turns = sink.worker("another")
        assert sink.turn() == "delivered"
        assert sink.turn() == "delivered", "it is not time yet"
    assert told(sink) | {"differences": 3, "checked_timestamp_seconds": sink.rig.clock() / 1000} == told(sink)
    sink.verify(repair=True)
    sink.rig.clock.advance(STEP_MS)
    sink.turn()
    assert sink.state().check == "", "it rests"
    for ms in (REST_MS, *[STEP_MS] * 3):
        sink.rig.clock.advance(ms)
        sink.turn()
    assert told(sink)["differences"] == 0


def test_of_all_sinks_together_the_one_that_was_compared_longest_ago_is_told(sink: SinkRig) -> None:
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add()
    sink.settle()

    def together() -> float:
        return next(
            value
            for gauge, values in look(sink.rig.client, sink.rig.clock(), named=False)
            if gauge is metrics.SINK_CHECKED
            for _, value in values
        )

    assert together() == sink.state().checked_ms / 1000 > 0
    sink.sinks.add("other", sink.url, section="Products", mapping=Mapping(), now_ms=sink.rig.clock())
    assert together() == 0, "never"


def test_a_comparison_that_fails_is_no_failure_of_the_delivery(sink: SinkRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again a minute later, not with each turn."""
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    asked = list[Any]()

    def compare(*of: Any) -> Any:
        asked.append(of)
        raise DestinationAway("timed out")

    monkeypatch.setattr(PostgresDestination, "compare", compare)
    for ms in (REST_MS, 1000, STEP_MS):
        sink.rig.clock.advance(ms)
        sink.rig.put({"id": "a", "name": f"After {ms}"})
        sink.rig.drain()
        assert sink.turn() == "delivered"
        assert (sink.state().phase, sink.state().failures) == ("live", 0)
        sink.check()
    assert len(asked) == 2
