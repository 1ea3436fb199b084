"""A copy that was replaced is kept for a day: readers can be given it back, in every destination."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import structlog
from click.testing import CliRunner

from api.cli.main import sluice
from shared.model import Kind
from shared.sinks.destination import DestinationAway
from shared.sinks.mapping import DEFAULT, Column, ColumnType, Mapping, Variations
from shared.sinks.search.ledger_destination import LedgerDestination
from shared.sinks.sink_lease import read_dead_letters
from shared.sinks.sinks import BadSink
from tests.support.batches import items, variations
from tests.support.postgres_sink import SinkRig
from tests.support.rig import ACME
from tests.support.sinks import NAME, DeliveryRig, LedgerRig
from tests.support.store_server import StoreServer

OTHER = Mapping(items=(Column("price", ColumnType.NUMBER, ("data", "price")),), mode=Variations.NONE)


@pytest.fixture
def replaced(any_sink: DeliveryRig) -> DeliveryRig:
    """A sink whose first copy was replaced by one of another mapping."""
    any_sink.rig.put(*items("a", "b"))
    any_sink.rig.put(*variations("a", "v1"), kind=Kind.VARIATIONS)
    any_sink.rig.drain()
    any_sink.add()
    any_sink.settle()
    any_sink.sinks.remap(NAME.name, OTHER)
    any_sink.settle()
    return any_sink


def old_version(sink: DeliveryRig) -> str:
    old = sink.copies().old
    assert old is not None
    return old.version


def test_an_undone_copy_is_live_again_with_its_mapping_and_with_what_has_changed_since(replaced: DeliveryRig) -> None:
    sink = replaced
    assert sink.there() == sink.known()
    sink.rig.put({"id": "c", "name": "C"})
    sink.rig.delete({"id": "b"})
    sink.rig.put(*variations("a", "v2"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.settle()
    delivered = sink.state().entries
    sink.sinks.undo(NAME.name, old_version(sink))
    sink.settle()
    sink.check()
    assert sink.sinks.get(NAME.name).mapping == DEFAULT
    assert sink.state().entries - delivered <= 4, "only what has changed, not all anew"
    assert [found.wrong for found in sink.verify()] == [0, 0]
    assert sink.there() == sink.known()


def test_the_earlier_mapping_comes_back_also_where_somebody_removed_what_was_live(replaced: DeliveryRig) -> None:
    """Its copy is still there; the other is not needed."""
    sink = replaced
    sink.lose(Kind.ITEMS)
    sink.rig.put({"id": "c", "name": "C"})
    sink.rig.drain()
    sink.sinks.remap(NAME.name, DEFAULT)
    sink.settle()
    sink.check()
    assert sink.there() == sink.known()


def test_an_undone_copy_has_its_dead_letters_again(any_sink: DeliveryRig) -> None:
    """Also after a copy that was given up before it was live."""
    sink, cheap = any_sink, {"id": "b", "name": "B", "data": {"price": "cheap"}}
    sink.rig.put({"id": "a", "name": "A", "data": {"price": 1}}, cheap)
    sink.rig.drain()
    sink.add(OTHER)
    sink.settle()

    def letters() -> list[str]:
        return [letter.id for letter in read_dead_letters(sink.rig.client, NAME)]

    assert letters() == ["b"]
    sink.sinks.remap(NAME.name, DEFAULT)
    sink.settle()
    assert letters() == []
    sink.sinks.undo(NAME.name, old_version(sink))
    sink.settle()
    assert letters() == ["b"]
    assert [found.wrong for found in sink.verify()] == [0]
    sink.sinks.remap(NAME.name, DEFAULT)
    sink.turn(budget_s=0)
    sink.sinks.undo(NAME.name, sink.copies().live.version)
    sink.settle()
    assert letters() == ["b"]
    sink.rig.put({"id": "b", "name": "B", "data": {"price": 2}})
    sink.rig.drain()
    sink.settle()
    assert letters() == []
    sink.check()


def test_an_undo_can_be_undone(replaced: DeliveryRig) -> None:
    sink = replaced
    sink.sinks.undo(NAME.name, old_version(sink))
    sink.settle()
    sink.rig.put({"id": "c", "data": {"price": 3}})
    sink.rig.drain()
    sink.settle()
    sink.sinks.undo(NAME.name, old_version(sink))
    sink.settle()
    assert sink.sinks.get(NAME.name).mapping == OTHER
    assert sink.rows() == sink.catalogue()
    assert sink.there() == sink.known()


def test_a_copy_that_is_asked_for_after_an_undo_is_a_new_one(replaced: DeliveryRig) -> None:
    sink = replaced
    undone = sink.sinks.get(NAME.name).version
    sink.sinks.undo(NAME.name, old_version(sink))
    sink.settle()
    sink.sinks.remap(NAME.name, OTHER)
    assert sink.sinks.get(NAME.name).version != undone
    sink.settle()
    assert sink.rows() == sink.catalogue()
    assert sink.there() == sink.known()


def test_a_copy_that_is_not_live_yet_is_given_up(replaced: DeliveryRig) -> None:
    sink = replaced
    before = sink.sinks.get(NAME.name).version
    sink.sinks.remap(NAME.name, DEFAULT)
    assert sink.turn(budget_s=0) == "delivered"
    sink.sinks.undo(NAME.name, before)
    sink.settle()
    assert sink.sinks.get(NAME.name).mapping == OTHER
    assert sink.rows() == sink.catalogue()
    assert sink.there() == sink.known()


def test_only_the_last_copy_is_kept_and_it_goes_after_a_day(replaced: DeliveryRig) -> None:
    sink = replaced
    first = old_version(sink)
    sink.sinks.resync(NAME.name)
    sink.settle()
    assert old_version(sink) != first
    assert sink.there() == sink.known()
    sink.age_old(23)
    sink.settle()
    assert old_version(sink) != first
    sink.age_old(25)
    sink.settle()
    assert sink.copies().old is None
    assert sink.there() == sink.known()
    assert sink.rows() == sink.catalogue()


def lose_history(sink: DeliveryRig) -> None:
    """Have so much time pass that nobody knows any more what has changed."""
    sink.rig.delete({"id": "a"})
    sink.rig.drain()
    sink.rig.clock.advance(10_000)
    later = sink.rig.with_settings(payload_retention_s=0, task_retention_s=1)
    later.retention().retire(now_ms=sink.rig.clock(), limit=1000)


def test_a_copy_that_took_the_place_of_one_with_a_lost_history_leaves_nothing(any_sink: DeliveryRig) -> None:
    """It was made from the same, and cannot be brought up to date: nobody wants the other back."""
    sink = any_sink
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    lose_history(sink)
    assert sink.turn() == "delivered"
    assert sink.state().phase == "behind"
    sink.settle()
    sink.check()
    assert sink.copies().old is None
    assert sink.there() == sink.known()


def test_a_copy_that_took_the_place_of_one_with_a_lost_history_leaves_the_old_one_alone(replaced: DeliveryRig) -> None:
    """That one is of another mapping, and kept for a day."""
    sink = replaced
    first = old_version(sink)
    lose_history(sink)
    assert sink.turn() == "delivered"
    assert sink.state().phase == "behind"
    sink.settle()
    assert sink.rows() == sink.catalogue()
    assert old_version(sink) == first
    assert sink.there() == sink.known()


@pytest.mark.parametrize("any_sink", ["opensearch", "typesense", "files"], indirect=True)
@pytest.mark.parametrize("call", range(4))
def test_an_undo_in_which_a_worker_was_lost_is_ended_by_the_next(
    replaced: LedgerRig, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Whichever of its writes of the ledger was the last."""
    sink = replaced
    sink.rig.put({"id": "c", "name": "C"})
    sink.rig.drain()
    sink.settle()
    sink.sinks.undo(NAME.name, old_version(sink))
    with monkeypatch.context() as patch:
        patch.setattr(LedgerDestination, "undo", _cut_at(call, LedgerDestination.undo))
        assert sink.turn() == "failed"
    sink.rig.clock.advance(100_000)
    sink.turns = sink.worker("two")
    sink.settle()
    sink.check()
    assert sink.sinks.get(NAME.name).mapping == DEFAULT
    sink.settle()
    assert sink.there() == sink.known()


def _cut_at(call: int, undo: Callable[..., None]) -> Callable[..., None]:
    """Have an undo die at one of its writes of the ledger."""

    def cut(destination: Any, copy: Any) -> None:
        engine, count = destination._engine, 0
        save = engine.save

        def counted(ledger: bytes, tag: Any) -> Any:
            nonlocal count
            if count == call:
                raise DestinationAway("cut off")
            count += 1
            return save(ledger, tag)

        engine.save = counted
        undo(destination, copy)

    return cut


@pytest.mark.parametrize("any_sink", ["postgres"], indirect=True)
def test_a_table_that_something_depends_on_is_not_kept_under_another_name(replaced: SinkRig) -> None:
    """Whoever reads a view would go on to see what is old, without knowing."""
    replaced.database.execute("CREATE VIEW seen AS SELECT id FROM products")
    replaced.sinks.resync(NAME.name)
    assert replaced.turn() == "failed"
    assert "depend" in replaced.state().error


@pytest.mark.parametrize("any_sink", ["postgres"], indirect=True)
def test_an_undo_leaves_a_table_that_something_depends_on_where_it_is(replaced: SinkRig) -> None:
    replaced.database.execute("CREATE VIEW seen AS SELECT id FROM products")
    replaced.sinks.undo(NAME.name, old_version(replaced))
    assert replaced.turn() == "failed"
    assert "depend" in replaced.state().error
    replaced.database.execute("DROP VIEW seen")
    replaced.sinks.resume(NAME.name)
    replaced.settle()
    replaced.check()


@pytest.mark.parametrize("any_sink", ["postgres"], indirect=True)
def test_an_old_table_that_something_depends_on_stays_and_delivery_goes_on(replaced: SinkRig) -> None:
    sink = replaced
    sink.database.execute("CREATE VIEW seen AS SELECT id FROM products__old")
    sink.age_old(25)
    sink.rig.put({"id": "c", "name": "C"})
    sink.rig.drain()
    sink.settle()
    assert sink.rows() == sink.catalogue()
    assert sink.copies().old is not None
    sink.database.execute("DROP VIEW seen")
    sink.settle()
    assert sink.copies().old is None
    assert sink.there() == sink.known()


def test_a_sink_that_takes_over_also_replaces_tables_with_the_names_of_an_old_copy(sink: SinkRig) -> None:
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add(take_over=True)
    sink.settle()
    sink.database.execute("CREATE TABLE products__old (mine text)")
    sink.database.execute("CREATE TABLE products_variations__old (mine text)")
    sink.sinks.remap(NAME.name, OTHER)
    sink.settle()
    assert sink.rows() == sink.catalogue()
    assert old_version(sink)


def test_an_undo_to_what_nobody_knows_is_refused(any_sink: DeliveryRig) -> None:
    any_sink.add()
    with pytest.raises(BadSink, match="nobody knows"):
        any_sink.sinks.undo(NAME.name, "another")


def test_the_command_goes_back_and_says_to_which_task(
    replaced: DeliveryRig, store_server: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = replaced
    monkeypatch.setenv("SLUICE_REDIS_URL", store_server.url)
    for mapping in (DEFAULT, OTHER):
        said = CliRunner().invoke(sluice, ["sinks", "undo", ACME, NAME.name])
        assert said.output == "products goes back to the copy before, at task 2\n"
        sink.settle()
        assert sink.sinks.get(NAME.name).mapping == mapping
        assert sink.rows() == sink.catalogue()
    sink.age_old(25)
    sink.settle()
    said = CliRunner().invoke(sluice, ["sinks", "undo", ACME, NAME.name])
    assert "has no earlier copy" in str(said.exception)
    structlog.reset_defaults()
