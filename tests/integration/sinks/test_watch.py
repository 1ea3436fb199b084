"""What operators see of sinks and do with dead letters: lag, entries that differ, another attempt."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model import Kind
from shared.sinks.destination import DestinationAway
from shared.sinks.mapping import Column, ColumnType, Mapping
from shared.sinks.postgres.destination_postgres import PostgresDestination
from shared.sinks.sink_lease import discard_dead_letters, read_dead_letters
from shared.telemetry import metrics
from shared.telemetry.gauges import look
from tests.support.batches import items, variations
from tests.support.sinks import NAME, SinkRig
from workers.sinks import checking, gathering, sink_turns
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


def test_dead_letters_are_delivered_again_when_an_operator_says_so(
    sink: SinkRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are refused once more stay; a sink that stopped for too many goes on if they have become fewer."""
    monkeypatch.setattr(sink_turns, "MOST_DEAD", 2)
    sink.add(Mapping(items=(Column("name", ColumnType.TEXT, ("name",)),)))
    sink.settle()
    sink.database.execute("ALTER TABLE products ADD CHECK (name <> 'Item a' AND name <> 'Item b')")
    sink.rig.put(*items("a", "b", "c"))
    sink.rig.drain()
    assert sink.turn() == "failed"
    sink.database.execute("ALTER TABLE products DROP CONSTRAINT products_name_check")
    sink.database.execute("ALTER TABLE products ADD CHECK (name <> 'Item b')")
    sink.sinks.resume(NAME.name)
    assert sink.turn() == "failed", "it stopped"
    sink.sinks.retry(NAME.name)
    assert sink.turn() == "delivered"
    assert [letter.id for letter in read_dead_letters(sink.rig.client, NAME)] == ["b"]
    assert list(sink.rows()) == ["a", "c"]
    sink.database.execute("ALTER TABLE products DROP CONSTRAINT products_name_check")
    sink.turn()
    assert list(sink.rows()) == ["a", "c"], "once for each time that it was asked"
    sink.sinks.retry(NAME.name)
    sink.settle()
    assert read_dead_letters(sink.rig.client, NAME) == []
    sink.check()


def test_a_retry_is_judged_by_what_is_left_at_its_end(sink: SinkRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first that are delivered again are refused once more, and as many as before are left until the others fit."""
    monkeypatch.setattr(sink_turns, "MOST_DEAD", 4)
    monkeypatch.setattr(gathering, "PART_ENTRIES", 2)
    sink.add(Mapping(items=(Column("name", ColumnType.TEXT, ("name",)),)))
    sink.settle()
    sink.database.execute("ALTER TABLE products ADD CHECK (name = '')")
    sink.rig.put(*items("a", "b", "c", "d"))
    sink.rig.drain()
    assert sink.turn() == "failed"
    sink.sinks.retry(NAME.name)
    assert sink.turn() == "failed", "as many are left"
    assert sink.state().retried == 1, "it is not tried again by itself"
    sink.database.execute("ALTER TABLE products DROP CONSTRAINT products_name_check")
    sink.database.execute("ALTER TABLE products ADD CHECK (name NOT IN ('Item a', 'Item b'))")
    sink.sinks.retry(NAME.name)
    assert sink.turn() == "delivered"
    assert list(sink.rows()) == ["c", "d"]
    assert sink.state().dead == 2


def test_dead_letters_that_are_discarded_are_missing_from_then_on(sink: SinkRig) -> None:
    sink.add()
    sink.rig.put(*items("a"), b'{"id": "b", "name": "\\u0000"}', b'{"id": "c", "name": "\\u0000"}')
    sink.rig.drain()
    sink.settle()
    assert discard_dead_letters(sink.rig.client, NAME, ["b", "nobody"]) == 1
    assert [letter.id for letter in read_dead_letters(sink.rig.client, NAME)] == ["c"]
    assert discard_dead_letters(sink.rig.client, NAME, []) == 1
    assert discard_dead_letters(sink.rig.client, NAME, []) == 0
