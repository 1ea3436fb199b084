"""A sink in Typesense: its collection is the catalogue, in order, whatever happens.  On a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from shared.model import Kind
from shared.sinks.destination import CALL_S, Copy, CopyChange, DestinationAway, Superseded, Which, connect
from shared.sinks.mapping import Column, ColumnType, Document, Mapping
from shared.sinks.search.http_calls import HttpCalls
from shared.sinks.search.typesense import Typesense
from tests.support.batches import items, variations
from tests.support.rig import ACME, Rig
from tests.support.search_server import TypesenseProcess, TypesenseRig
from tests.support.sinks import NAME

COLUMNS = Mapping(
    items=(
        Column("name", path=("name",)),
        Column("price", ColumnType.NUMBER, ("data", "price")),
        Column("tags", ColumnType.TEXTS, ("data", "tags")),
        Column("since", ColumnType.TIME, ("data", "since")),
        Column("more", ColumnType.JSON, ("data", "more")),
        Column("shop", value="berlin"),
    )
)


@pytest.fixture
def sink(rig: Rig, typesense: TypesenseProcess) -> Iterator[TypesenseRig]:
    sink = TypesenseRig(rig, typesense.url)
    sink.clear()
    yield sink
    sink.close()


def late_writer(sink: TypesenseRig) -> tuple[Any, Copy]:
    destination = connect(sink.sinks.get(NAME.name), ACME, timeout_s=CALL_S)
    live = destination.take_over("late").live
    assert live is not None
    return destination, live


def old(*ids: str) -> dict[Kind, list[Document]]:
    return {Kind.ITEMS: [Document(one, None, 1, b'{"name":"Old"}', {"name": "Old"}) for one in ids]}


@pytest.mark.parametrize("step", ["save", "write", "_import", "_delete"])
def test_a_late_writer_changes_nothing(sink: TypesenseRig, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Wherever it sleeps: another takes over, delivers, deletes; it wakes up."""
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    late, live = late_writer(sink)
    real = getattr(Typesense, step)

    def sleeps(*of: Any) -> Any:
        monkeypatch.setattr(Typesense, step, real)
        sink.rig.put({"id": "a", "name": "Newer"})
        sink.rig.delete({"id": "b"})
        sink.rig.drain()
        sink.settle()
        sink.check()
        return real(*of)

    monkeypatch.setattr(Typesense, step, sleeps)
    with pytest.raises(Superseded):
        late.deliver(CopyChange(Which.LIVE, live, live, old("a", "b", "never"), {Kind.ITEMS: ["a"]}))
    sink.check()
    late.close()


def test_a_late_writer_switches_nothing(sink: TypesenseRig, monkeypatch: pytest.MonkeyPatch) -> None:
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    late, live = late_writer(sink)
    other = replace(live, version="other", cursor="")
    late.start_next(other)
    real = Typesense.point

    def sleeps(*of: Any) -> Any:
        monkeypatch.setattr(Typesense, "point", real)
        sink.settle()
        return real(*of)

    monkeypatch.setattr(Typesense, "point", sleeps)
    with pytest.raises(Superseded):
        late.switch(other)
    sink.check()
    late.close()


def test_who_is_late_with_taking_over_does_not_remove_the_key_of_the_next(
    sink: TypesenseRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    late, owner = (connect(sink.sinks.get(NAME.name), ACME, timeout_s=CALL_S) for _ in range(2))
    real, live = HttpCalls.ask, list[Copy]()

    def ask(calls: HttpCalls, method: str, path: str, *of: Any, **how: Any) -> Any:
        if (method, path) == ("GET", "/keys"):
            monkeypatch.setattr(HttpCalls, "ask", real)
            found = owner.take_over("owner").live
            live.extend([found] if found else [])
        return real(calls, method, path, *of, **how)

    monkeypatch.setattr(HttpCalls, "ask", ask)
    with pytest.raises(Superseded):
        late.take_over("late")
    assert owner.deliver(CopyChange(Which.LIVE, live[0], live[0], gone={Kind.ITEMS: ["b"]})) == []
    assert list(sink.rows()) == ["a"]
    for destination in (late, owner):
        destination.close()


def test_a_worker_that_was_killed_is_succeeded_and_leaves_no_key(sink: TypesenseRig) -> None:
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    for number in range(3):
        sink.turns = sink.worker(str(number))
        sink.rig.put({"id": "a", "name": str(number)})
        sink.rig.drain()
        sink.settle()
    sink.check()
    keys = sink.ask("GET", "/keys").json()["keys"]
    assert [key["description"] for key in keys] == ["sluice sink products: its worker's, made anew by each"]


def test_a_switch_in_the_middle_of_which_a_worker_was_lost_is_ended(
    sink: TypesenseRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One alias of two had moved, and then another copy was asked for."""
    sink.rig.put(*items("a"))
    sink.rig.put(*variations("a", "v1"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add()
    sink.settle()
    sink.sinks.resync(NAME.name)
    real = Typesense.point

    def point(engine: Typesense, names: dict[str, str | None], *of: Any) -> Any:
        real(engine, {name: place for name, place in names.items() if name == "products"}, *of)
        raise DestinationAway("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(Typesense, "point", point)
        assert sink.turn() == "failed"
    sink.sinks.resync(NAME.name)
    sink.rig.put(*items(*(f"i{number:04d}" for number in range(2500))))
    sink.rig.drain()
    assert sink.turn(budget_s=0) == "delivered", sink.state()
    assert sink.state().phase == "copying"
    assert (list(sink.rows()), list(sink.rows(Kind.VARIATIONS))) == (["a"], ["v1"])
    sink.settle()
    sink.check()
    assert sink.there() == sink.known()
