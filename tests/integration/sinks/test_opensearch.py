"""A sink in OpenSearch: its index is the catalogue, in order, whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from shared.clock import now_ms
from shared.model import Kind
from shared.sinks.destination import (
    CALL_S,
    Copy,
    CopyChange,
    DestinationAway,
    DestinationRefuses,
    Superseded,
    Which,
    connect,
)
from shared.sinks.mapping import Column, ColumnType, Document, Mapping
from shared.sinks.search.ledger_destination import LedgerDestination
from shared.sinks.search.opensearch import OpenSearch
from tests.support.batches import items, variations
from tests.support.rig import ACME, Rig
from tests.support.search_server import OpenSearchRig, OsmemProcess
from tests.support.sinks import NAME

NUMBER = Mapping(items=(Column("price", ColumnType.NUMBER, ("data", "price")),))


@pytest.fixture
def sink(rig: Rig, osmem: OsmemProcess) -> Iterator[OpenSearchRig]:
    sink = OpenSearchRig(rig, osmem.url)
    sink.clear()
    yield sink
    sink.close()


class Late:
    """A writer of its own whose next bulk request waits until something else has been done."""

    def __init__(self, sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch) -> None:
        self.destination = connect(sink.sinks.get(NAME.name), ACME, timeout_s=CALL_S)
        live = self.destination.take_over("late").live
        assert live is not None
        self.live: Copy = live
        self._patch = monkeypatch

    def deliver(self, meanwhile: Any, **what: Any) -> None:
        """Deliver; ``meanwhile`` happens after the change was begun and before it is sent."""
        real = OpenSearch._bulk

        def late(*of: Any) -> Any:
            self._patch.setattr(OpenSearch, "_bulk", real)
            meanwhile()
            return real(*of)

        self._patch.setattr(OpenSearch, "_bulk", late)
        self.destination.deliver(CopyChange(Which.LIVE, self.live, self.live, **what))


def died_amid_a_deletion(sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch) -> Late:
    """Store ``a`` and ``b``; a writer begins to delete ``a`` and dies before it sends that."""
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    writer = Late(sink, monkeypatch)

    def dies() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        writer.deliver(dies, gone={Kind.ITEMS: ["a"]})
    return writer


def no_room(*of: Any) -> None:
    raise DestinationRefuses("400: this action would add [2] shards")


def old(entry_id: str) -> dict[Kind, list[Document]]:
    body = b'{"id":"%s","name":"Old"}' % entry_id.encode()
    return {Kind.ITEMS: [Document(entry_id, None, 1, body, {"name": "Old"})]}


def test_a_late_writer_changes_nothing(sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has begun a change, then sleeps; another takes over, makes the change, and deletes; it wakes up."""
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    late = Late(sink, monkeypatch)

    def meanwhile() -> None:
        sink.rig.put({"id": "a", "name": "Newer"})
        sink.rig.delete({"id": "b"})
        sink.rig.drain()
        sink.settle()
        sink.check()

    documents = {Kind.ITEMS: [*old("a")[Kind.ITEMS], *old("b")[Kind.ITEMS], *old("never")[Kind.ITEMS]]}
    with pytest.raises(Superseded):
        late.deliver(meanwhile, documents=documents, gone={Kind.ITEMS: ["a"]})
    sink.check()
    # Nor does its next one: it was begun after the other took over.
    with pytest.raises(Superseded):
        late.deliver(lambda: None, documents=documents)
    sink.check()
    late.destination.close()


def test_late_deletions_alone_change_nothing(sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """They say at once that they came too late."""
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    late = Late(sink, monkeypatch)

    def meanwhile() -> None:
        sink.rig.put({"id": "a", "name": "Newer"})
        sink.rig.drain()
        sink.settle()

    with pytest.raises(Superseded):
        late.deliver(meanwhile, gone={Kind.ITEMS: ["a"]})
    sink.check()
    late.destination.close()


def test_a_write_inside_the_cluster_that_is_late_is_refused_by_its_number(sink: OpenSearchRig) -> None:
    """The gate was open when it went through; a deleted entry does not come back, a newer one stays."""
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    before = sink.ledger()["number"]
    sink.rig.put({"id": "a", "name": "Newer"})
    sink.rig.delete({"id": "b"})
    sink.rig.drain()
    sink.settle()
    ledger = sink.ledger()
    engine = OpenSearch(sink.sinks.get(NAME.name), timeout_s=CALL_S)
    place = ledger["live"]["places"]["items"]
    for entry_id in ("a", "b"):
        assert engine.write(place, ledger["gate"], before, Kind.ITEMS, old(entry_id)[Kind.ITEMS], []) == []
    assert engine.write(place, ledger["gate"], before, Kind.ITEMS, [], ["a"]) == []
    engine.close()
    sink.check()


def test_a_writer_that_died_in_the_middle_is_succeeded_and_its_change_made_again(
    sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = died_amid_a_deletion(sink, monkeypatch)
    assert sink.ledger()["writing"]
    gate = sink.ledger()["gate"]
    sink.rig.delete({"id": "b"})
    sink.rig.drain()
    sink.settle()
    sink.check()
    assert sink.ledger()["gate"] != gate
    late.destination.close()


def test_a_late_writer_neither_switches_nor_drops_a_copy(sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch) -> None:
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    late = Late(sink, monkeypatch)
    next_copy = replace(late.live, version="other", cursor="")
    late.destination.start_next(next_copy)
    real = OpenSearch.point

    def point(*of: Any) -> Any:
        monkeypatch.setattr(OpenSearch, "point", real)
        sink.settle()
        return real(*of)

    monkeypatch.setattr(OpenSearch, "point", point)
    for late_call in (lambda: late.destination.switch(next_copy), late.destination.drop_next):
        with pytest.raises(Superseded):
            late_call()
    sink.check()
    late.destination.close()


def test_while_one_of_two_indices_is_gone_readers_keep_the_other_and_nothing_counts_as_built(
    sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither while there is no room for another, nor while that is made."""
    sink.rig.put(*items(*(f"i{number:04d}" for number in range(2500))))
    sink.rig.put(*variations("i0001", "v1"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add()
    sink.settle()
    before = sink.ledger()["live"]["places"]
    sink.ask("DELETE", "/" + before["variations"])
    with monkeypatch.context() as patch:
        patch.setattr(OpenSearch, "create", no_room)
        sink.turns = sink.worker("one")
        assert (sink.turn(), sink.state().live_task_id) == ("failed", 0)
    sink.sinks.resume(NAME.name)
    for holder in ("two", "three"):
        sink.turns = sink.worker(holder)
        assert sink.turn(budget_s=0) == "delivered", sink.state()
        assert (sink.state().phase, sink.state().live_task_id) == ("copying", 0)
    assert before["items"] in sink.there()
    sink.settle()
    sink.check()
    assert sink.there() == sink.known()


def test_a_copy_that_cannot_be_made_leaves_no_index_behind(
    sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster has no room for the second of its indices, again and again."""
    sink.rig.put(*items("a"))
    sink.rig.drain()
    real = OpenSearch.create

    def create(engine: OpenSearch, place: str, kind: Kind, gate: str) -> None:
        if kind is Kind.VARIATIONS:
            raise DestinationRefuses("400: this action would add [2] shards")
        real(engine, place, kind, gate)

    sink.add()
    with monkeypatch.context() as patch:
        patch.setattr(OpenSearch, "create", create)
        for _ in range(3):
            assert sink.turn() == "failed"
            sink.sinks.resume(NAME.name)
    sink.settle()
    assert sink.there() == sink.known()


def test_readers_keep_the_index_that_a_lost_writer_had_switched_them_to(
    sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could not note the switch, and then another copy was asked for."""
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    sink.sinks.resync(NAME.name)
    real = OpenSearch.point

    def point(*of: Any) -> Any:
        real(*of)
        raise DestinationAway("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(OpenSearch, "point", point)
        assert sink.turn() == "failed"
    sink.sinks.resync(NAME.name)
    sink.rig.put(*items(*(f"i{number:04d}" for number in range(2500))))
    sink.rig.drain()
    assert sink.turn(budget_s=0) == "delivered", sink.state()
    assert sink.state().phase == "copying"
    assert list(sink.rows()) == ["a"]
    sink.settle()
    sink.check()
    assert sink.there() == sink.known()


def test_of_two_who_take_over_at_once_the_loser_does_not_close_the_winners_gate(
    sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = died_amid_a_deletion(sink, monkeypatch)
    winner, loser = (connect(sink.sinks.get(NAME.name), ACME, timeout_s=CALL_S) for _ in range(2))
    # A number, and so a gate, of its own.
    monkeypatch.setattr(loser, "_clock", lambda: now_ms() + 1000)
    real, live = OpenSearch.has, list[Copy]()

    def has(engine: OpenSearch, place: str) -> bool:
        # The loser has read the ledger by now.
        monkeypatch.setattr(OpenSearch, "has", real)
        found = winner.take_over("winner").live
        live.extend([found] if found else [])
        return real(engine, place)

    monkeypatch.setattr(OpenSearch, "has", has)
    with pytest.raises(Superseded):
        loser.take_over("loser")
    assert winner.deliver(CopyChange(Which.LIVE, live[0], live[0], gone={Kind.ITEMS: ["b"]})) == []
    assert list(sink.rows()) == ["a"]
    for destination in (dead.destination, winner, loser):
        destination.close()


def test_who_read_the_ledger_before_does_not_close_the_gate_that_another_has_just_made(
    sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor while that one has not noted it yet."""
    dead = died_amid_a_deletion(sink, monkeypatch)
    winner, loser = (connect(sink.sinks.get(NAME.name), ACME, timeout_s=CALL_S) for _ in range(2))
    has_read, go_on, outcomes = threading.Event(), threading.Event(), list[BaseException | None]()
    real_has, real_fence = OpenSearch.has, OpenSearch.fence

    def take_over() -> None:
        try:
            loser.take_over("loser")
            outcomes.append(None)
        except Superseded as gone:
            outcomes.append(gone)

    slow = threading.Thread(target=take_over)

    def has(engine: OpenSearch, place: str) -> bool:
        if threading.current_thread() is slow and not has_read.is_set():
            has_read.set()
            go_on.wait(20)
        return real_has(engine, place)

    def fence(engine: OpenSearch, *of: Any) -> str:
        gate = real_fence(engine, *of)
        if threading.current_thread() is not slow:
            go_on.set()
            slow.join(20)
        return gate

    monkeypatch.setattr(OpenSearch, "has", has)
    monkeypatch.setattr(OpenSearch, "fence", fence)
    slow.start()
    assert has_read.wait(20)
    live = winner.take_over("winner").live
    assert live is not None
    assert [type(outcome) for outcome in outcomes] == [Superseded]
    assert winner.deliver(CopyChange(Which.LIVE, live, live, gone={Kind.ITEMS: ["b"]})) == []
    assert list(sink.rows()) == ["a"]
    for destination in (dead.destination, winner, loser):
        destination.close()


@pytest.mark.parametrize("step", ["fence", "_confirm"])
def test_who_is_late_with_taking_over_does_not_close_the_gate_of_the_next(
    sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Neither before it has looked which gate there is, nor after that."""
    dead = died_amid_a_deletion(sink, monkeypatch)
    late, owner = (connect(sink.sinks.get(NAME.name), ACME, timeout_s=CALL_S) for _ in range(2))
    of: Any = OpenSearch if step == "fence" else LedgerDestination
    real, live = getattr(of, step), list[Copy]()

    def taken_over_by_another(*what: Any) -> Any:
        monkeypatch.setattr(of, step, real)
        if step == "_confirm":
            real(*what)
        found = owner.take_over("owner").live
        live.extend([found] if found else [])
        return real(*what) if step == "fence" else None

    monkeypatch.setattr(of, step, taken_over_by_another)
    with pytest.raises(Superseded):
        late.take_over("late")
    assert owner.deliver(CopyChange(Which.LIVE, live[0], live[0], gone={Kind.ITEMS: ["b"]})) == []
    assert list(sink.rows()) == ["a"]
    for destination in (dead.destination, late, owner):
        destination.close()


def test_an_index_that_a_name_leads_to_is_left_alone_also_when_the_name_is_taken(sink: OpenSearchRig) -> None:
    sink.ask("PUT", "/others/_doc/mine", {"mine": 1}, status=201)
    sink.ask("POST", "/_aliases", {"actions": [{"add": {"index": "others", "alias": "products_variations"}}]})
    sink.add()
    assert sink.turn() == "failed"
    assert "products_variations already, which no sink made" in sink.state().error
    sink.sinks.remove(NAME.name)
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add(take_over=True)
    sink.settle()
    sink.check()
    sink.ask("GET", "/others/_doc/mine")


def test_an_index_that_comes_while_all_is_copied_is_left_alone(sink: OpenSearchRig) -> None:
    """With an alias of the name: there is no switch while that is there."""
    sink.rig.put(*items(*(f"i{number:04d}" for number in range(2500))))
    sink.rig.drain()
    sink.add()
    assert sink.turn(budget_s=0) == "delivered"
    sink.ask("PUT", "/theirs/_doc/mine?refresh=true", {"mine": 1}, status=201)
    sink.ask("POST", "/_aliases", {"actions": [{"add": {"index": "theirs", "alias": "products"}}]})
    assert sink.turn() == "failed"
    assert "products already, which no sink made" in sink.state().error
    assert list(sink.documents()) == ["mine"]
    sink.ask("DELETE", "/theirs")
    sink.sinks.resume(NAME.name)
    sink.settle()
    sink.check()
