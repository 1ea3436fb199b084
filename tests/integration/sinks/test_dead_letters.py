"""What cannot be delivered is a dead letter until it can, in every destination."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model import Kind
from shared.sinks.destination import CopyChange, DeadLetter, DestinationAway
from shared.sinks.mapping import DEFAULT, Column, ColumnType, Mapping
from shared.sinks.sink_lease import discard_dead_letters, read_dead_letters
from shared.sinks.sink_reports import report_sinks
from tests.support.batches import Entry, items
from tests.support.postgres_sink import SinkRig
from tests.support.search_server import OpenSearchRig
from tests.support.sink_stand_ins import refusing
from tests.support.sinks import NAME, DeliveryRig
from workers.sinks import gathering, turn

NUMBER = Mapping(items=(Column("price", ColumnType.NUMBER, ("data", "price")),))
#: Which entry a destination itself refuses, and what it says.
REFUSED: dict[type[DeliveryRig], tuple[str, Entry, str]] = {
    SinkRig: ("own", b'{"id": "own", "name": "\\u0000"}', "unsupported Unicode escape sequence"),
    OpenSearchRig: ("é" * 300, {"id": "é" * 300, "name": "Long"}, "512 bytes"),
}


def letters(sink: DeliveryRig) -> dict[str, str]:
    """The dead letters: reasons by id."""
    return {letter.id: letter.reason for letter in read_dead_letters(sink.rig.client, NAME)}


def test_an_entry_that_cannot_be_delivered_is_a_dead_letter_until_a_later_version_can(any_sink: DeliveryRig) -> None:
    """One does not fit the mapping, one has a number that none holds, one the destination refuses; the others go on."""
    sink = any_sink
    own_id, own, said = REFUSED.get(type(sink), ("", b"", ""))
    sink.rig.put(*items("a", "b", "c"))
    sink.rig.drain()
    sink.add(NUMBER)
    sink.settle()
    sink.rig.put(
        {"id": "a", "name": "A", "data": {"price": "cheap"}},
        b'{"id": "b", "name": "B", "data": {"price": 1e999}}',
        {"id": "c", "name": "C", "data": {"price": "7.50"}},
        *([own] if own else []),
    )
    sink.rig.drain()
    sink.settle()
    found = letters(sink)
    assert set(found) == {"a", "b", *([own_id] if own_id else [])}
    assert found["a"] == "data.price cannot become the number column price: it is no number"
    assert said in found.get(own_id, "")
    assert sink.columns() == {"c": {"price": 7.5}}
    assert [found.wrong for found in sink.verify()] == [0, 0]
    [report] = report_sinks(sink.rig.client, sink.rig.clock())
    assert (report.is_troubled, report.state.dead) == (False, len(found))
    sink.rig.put({"id": "a", "name": "A", "data": {"price": 1}})
    sink.rig.delete({"id": "b"}, *([{"id": own_id}] if own_id else []))
    sink.rig.drain()
    sink.settle()
    assert [found.wrong for found in sink.verify()] == [0, 0]
    assert letters(sink) == {}
    sink.check()


def test_dead_letters_are_delivered_again_when_an_operator_says_so(
    any_sink: DeliveryRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are refused once more stay; a sink that stopped for too many goes on if they have become fewer."""
    monkeypatch.setattr(turn, "MOST_DEAD", 2)
    sink, refused = any_sink, {"a", "b"}
    sink.turns = sink.worker(connect=refusing(refused))
    sink.add()
    sink.settle()
    sink.rig.put(*items("a", "b", "c"))
    sink.rig.drain()
    assert sink.turn() == "failed"
    refused.remove("a")
    sink.sinks.resume(NAME.name)
    assert sink.turn() == "failed", "it stopped"
    sink.sinks.retry(NAME.name)
    assert sink.turn() == "delivered"
    assert letters(sink) == {"b": "not wanted"}
    assert sorted(sink.rows()) == ["a", "c"]
    refused.clear()
    sink.turn()
    assert sorted(sink.rows()) == ["a", "c"], "once for each time that it was asked"
    sink.sinks.retry(NAME.name)
    sink.settle()
    assert letters(sink) == {}
    sink.check()


@pytest.mark.parametrize("moment", ["copied", "followed"])
def test_what_was_refused_is_known_also_where_the_answer_was_lost(any_sink: DeliveryRig, moment: str) -> None:
    """The delivery has taken effect, so nobody makes it again; what it may have refused is asked once more."""
    sink, lost = any_sink, [1]
    refuse = refusing({"b"})

    def connected(*of: Any, **options: Any) -> Any:
        made: Any = refuse(*of, **options)
        real = made.deliver

        def deliver(change: CopyChange) -> list[DeadLetter]:
            dead: list[DeadLetter] = real(change)
            if dead and lost:
                raise DestinationAway(f"no answer {lost.pop()}")
            return dead

        made.deliver = deliver
        return made

    sink.turns = sink.worker(connect=connected)
    sink.rig.put(*items("a", "b") if moment == "copied" else items("a"))
    sink.rig.drain()
    sink.add()
    if moment == "followed":
        sink.settle()
        sink.rig.put(*items("b", "c"))
        sink.rig.drain()
    assert sink.turn() == "failed"
    sink.sinks.resume(NAME.name)
    sink.settle()
    assert letters(sink) == {"b": "not wanted"}
    assert [found.wrong for found in sink.verify()] == [0, 0]
    assert sorted(sink.rows()) == (["a"] if moment == "copied" else ["a", "c"])


def test_dead_letters_that_are_discarded_are_missing_until_they_change(any_sink: DeliveryRig) -> None:
    sink = any_sink
    sink.add(NUMBER)
    sink.rig.put(*items("a"), *({"id": one, "name": one, "data": {"price": "cheap"}} for one in "bc"))
    sink.rig.drain()
    sink.settle()
    assert discard_dead_letters(sink.rig.client, NAME, ["b", "nobody"]) == 1
    assert list(letters(sink)) == ["c"]
    assert [found.unmappable for found in sink.verify()] == [["b"], []]
    assert discard_dead_letters(sink.rig.client, NAME, []) == 1
    assert discard_dead_letters(sink.rig.client, NAME, []) == 0
    sink.rig.put(*({"id": one, "name": one, "data": {"price": 1}} for one in "bc"))
    sink.rig.drain()
    sink.settle()
    sink.check()


def test_a_sink_with_too_many_dead_letters_stops_until_it_is_copied_anew(
    any_sink: DeliveryRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "MOST_DEAD", 2)
    sink = any_sink
    sink.rig.put(*items("a", "b", "c"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    sink.sinks.remap(NAME.name, Mapping(items=(Column("price", ColumnType.NUMBER, ("name",)),)))
    assert sink.turn() == "failed"
    before = sink.copies()[:3]
    sink.sinks.resume(NAME.name)
    assert sink.turn() == "failed"
    assert "3 entries cannot be delivered" in sink.state().error
    assert sink.copies()[:3] == before, "it did not go on"
    sink.sinks.retry(NAME.name)
    assert sink.turn() == "failed"
    assert sink.copies()[:3] == before, "nor when they are asked to be delivered again"
    sink.check()
    sink.rig.delete({"id": "a"})
    sink.rig.drain()
    sink.sinks.remap(NAME.name, DEFAULT)
    sink.settle()
    assert letters(sink) == {}
    sink.check()


# -- what no destination has a part in ---------------------------------------------------------------------------------

apart = pytest.mark.parametrize("any_sink", ["files"], indirect=True)


@apart
def test_a_retry_is_judged_by_what_is_left_at_its_end(any_sink: DeliveryRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first that are delivered again are refused once more, and as many as before are left until the others fit."""
    monkeypatch.setattr(turn, "MOST_DEAD", 4)
    monkeypatch.setattr(gathering, "PART_ENTRIES", 2)
    sink, refused = any_sink, {"a", "b", "c", "d"}
    sink.turns = sink.worker(connect=refusing(refused))
    sink.add()
    sink.settle()
    sink.rig.put(*items("a", "b", "c", "d"))
    sink.rig.drain()
    assert sink.turn() == "failed"
    sink.sinks.retry(NAME.name)
    assert sink.turn() == "failed", "as many are left"
    assert sink.state().retried == 1, "it is not tried again by itself"
    refused -= {"c", "d"}
    sink.sinks.retry(NAME.name)
    assert sink.turn() == "delivered"
    assert sorted(sink.rows()) == ["c", "d"]
    assert sink.state().dead == 2


@apart
def test_a_retry_that_is_asked_for_while_all_is_copied_follows_the_copy(any_sink: DeliveryRig) -> None:
    sink, refused = any_sink, {"i0001"}
    sink.turns = sink.worker(connect=refusing(refused))
    sink.rig.put(*items(*(f"i{number:04d}" for number in range(2500))))
    sink.rig.drain()
    sink.add()
    assert sink.turn(budget_s=0) == "delivered"
    assert (sink.state().phase, list(letters(sink))) == ("copying", ["i0001"])
    refused.clear()
    sink.sinks.retry(NAME.name)
    sink.settle()
    assert sink.turn() == "delivered"
    assert letters(sink) == {}
    sink.check()


@apart
def test_a_retry_right_after_an_undo_delivers_the_letters_of_the_copy_that_comes_back(any_sink: DeliveryRig) -> None:
    sink, refused = any_sink, {"b"}
    sink.turns = sink.worker(connect=refusing(refused))
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    refused.clear()
    sink.sinks.remap(NAME.name, NUMBER)
    sink.settle()
    assert letters(sink) == {}
    now = sink.sinks.get(NAME.name)
    sink.sinks.undo(NAME.name, now.version_of(now.past[0]))
    sink.sinks.retry(NAME.name)
    sink.settle()
    assert letters(sink) == {}
    sink.check()


def test_a_sink_that_stops_for_too_many_dead_letters_forgets_none_of_them(any_sink: DeliveryRig) -> None:
    """All of the delivery that was too much are there for a retry."""
    sink, ids = any_sink, [f"i{number:04d}" for number in range(turn.MOST_DEAD + 200)]
    refused: Any = set(ids)
    sink.turns = sink.worker(connect=refusing(refused))
    sink.add()
    sink.settle()
    sink.rig.put(*items(*ids, "fine"))
    sink.rig.drain()
    assert sink.turn() == "failed"
    refused.clear()
    sink.sinks.retry(NAME.name)
    sink.settle()
    assert letters(sink) == {}
    sink.check()


def test_a_kind_says_which_of_two_letters_with_one_id_is_meant(any_sink: DeliveryRig) -> None:
    """An item that can be delivered again does not clear the letter of a variation with its id."""
    sink, price = any_sink, NUMBER.items
    sink.add(Mapping(items=price, variations=price))
    sink.rig.put({"id": "a", "name": "A", "data": {"price": "cheap"}})
    sink.rig.put({"id": "a", "item_id": "a", "data": {"price": "cheap"}}, kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.settle()
    sink.rig.put({"id": "a", "name": "A", "data": {"price": 1}})
    sink.rig.drain()
    sink.settle()
    assert [(one.kind, one.id) for one in read_dead_letters(sink.rig.client, NAME)] == [(Kind.VARIATIONS, "a")]
    assert [found.wrong for found in sink.verify()] == [0, 0]
