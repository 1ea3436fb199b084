"""Operators change the sinks of a catalog at the same time, and no change is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared import keys
from shared.codec import encode_json
from shared.sinks import sinks as module
from shared.sinks.mapping import DEFAULT
from shared.sinks.sink_reports import report_sinks
from shared.sinks.sinks import BadSink, SinkName, Sinks, all_sinks
from shared.store import scripts
from tests.support.batches import items
from tests.support.rig import ACME, Rig

URL = "postgresql://db/shop"


@pytest.fixture
def sinks(rig: Rig) -> Sinks:
    made = Sinks(rig.client, ACME)
    made.add("products", URL, section="Products", mapping=DEFAULT, now_ms=0)
    return made


def meanwhile(monkeypatch: pytest.MonkeyPatch, what: Any, *, call: int) -> None:
    """Do something just before one of the calls of the store."""
    real, calls = module.run, list[int]()

    def run(*of: Any) -> Any:
        calls.append(1)
        if len(calls) == call:
            what()
        return real(*of)

    monkeypatch.setattr(module, "run", run)


def test_two_changes_at_once_are_both_kept(sinks: Sinks, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sinks.get("products")
    paused = encode_json(replace(before, paused=True))
    meanwhile(monkeypatch, lambda: rig.client.hset(rig.keys().sinks, "products", paused), call=2)
    sinks.resync("products")
    found = sinks.get("products")
    assert (found.paused, found.resyncs, found.mapping) == (True, 1, before.mapping)


def test_a_sink_removed_meanwhile_does_not_come_back(sinks: Sinks, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile(monkeypatch, lambda: rig.client.hdel(rig.keys().sinks, "products"), call=2)
    with pytest.raises(BadSink, match="no sink 'products'"):
        sinks.pause("products")
    assert sinks.all() == []


def test_all_sinks_are_reported_in_a_few_round_trips(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with the lag of its own catalog."""
    rig.put(*items("a"))
    rig.drain()
    for number in range(20):
        of = Sinks(rig.client, ACME if number == 7 else f"catalog{number}")
        for name in ("one", "two"):
            of.add(name, "postgresql://x/y", section="Products", mapping=DEFAULT, now_ms=rig.clock())
    rig.clock.advance(3_000)
    real, asked = scripts.exchange, list[int]()

    def exchange(client: Any, commands: Any) -> Any:
        asked.append(len(commands))
        return real(client, commands)

    report_sinks(rig.client, rig.clock())
    monkeypatch.setattr(scripts, "exchange", exchange)
    reports = report_sinks(rig.client, rig.clock())
    assert len(asked) < 8
    assert len(reports) == 40
    assert {report.name: (report.lag_tasks, report.lag_s) for report in reports if report.lag_tasks} == {
        SinkName(ACME, name): (1, 3.0) for name in ("one", "two")
    }
    assert report_sinks(rig.client, rig.clock(), catalog_key=ACME) == [
        report for report in reports if report.name.catalog_key == ACME
    ]


def test_a_mapping_that_is_given_again_means_a_new_copy(sinks: Sinks) -> None:
    before = sinks.get("products").version
    sinks.remap("products", DEFAULT)
    assert sinks.get("products").version != before


def test_a_sink_that_is_added_while_the_last_other_is_removed_is_found(
    sinks: Sinks, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = encode_json(replace(sinks.get("products"), name="other"))
    meanwhile(monkeypatch, lambda: rig.client.hset(rig.keys().sinks, "other", other), call=3)
    sinks.remove("products")
    assert [name.name for name, _ in all_sinks(rig.client)] == ["other"]
    sinks.remove("other")
    assert rig.client.zcard(keys.SINKS) == 0
