"""A sink in PostgreSQL: its table is the catalogue, in order, exactly once, whatever happens."""

from __future__ import annotations

import random
import signal
import threading
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from shared.catalog.pages import EntryPage
from shared.catalog.reader import Catalog
from shared.keys import STORE_RUNS
from shared.model import Kind
from shared.sinks import verify
from shared.sinks.destination import CALL_S, Copy, CopyChange, DestinationAway, Superseded, Which, connect
from shared.sinks.mapping import DEFAULT, Mapping, Variations
from shared.sinks.sink_lease import SinkLease
from shared.sinks.sink_reports import SILENT_MS, report_sinks
from shared.sinks.sinks import SinkName
from shared.store.positions import position_in
from shared.waiting import wait_until
from tests.support.batches import items
from tests.support.postgres_server import PostgresServer
from tests.support.postgres_sink import SinkRig
from tests.support.rig import ACME
from tests.support.sinks import NAME, running
from workers.sinks import sink_delivery
from workers.sinks.sink_sweep import INEXACT_MS, SinkSweep
from workers.sinks.turn import LONGEST_REST_MS


def test_every_position_that_a_reader_sees_is_a_state_of_the_catalogue(sink: SinkRig) -> None:
    """While batches of one chunk and of several come in, two workers compete, and connections are cut."""
    chance, states, seen = random.Random(7), {0: dict[str, Any]()}, list[tuple[int, dict[str, Any]]]()
    sink.add()
    sink.settle()
    others = [sink.worker("one"), sink.worker("two")]
    reader = psycopg.connect(sink.url)

    def read() -> None:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with reader.transaction():
            row = reader.execute("SELECT task_id, exact FROM sluice_sinks WHERE copy = 'live'").fetchone()
            rows = dict(reader.execute("SELECT id, body FROM products").fetchall())
        if row and row[1]:
            seen.append((row[0], rows))

    def cut() -> None:
        if chance.random() < 0.02:
            sink.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice%%'")
            sink.sinks.resume(NAME.name)

    with running(read, cut, sink.rig.drain, *(lambda one=one: one.turn(NAME, budget_s=0.05) for one in others)):
        state = dict[str, Any]()
        for number in range(60):
            ids = [f"i{chance.randrange(40):02d}" for _ in range(chance.choice([1, 3, 30]))]
            if chance.random() < 0.25:
                task_id = sink.rig.delete(*({"id": entry_id} for entry_id in set(ids)))
                state = {entry_id: body for entry_id, body in state.items() if entry_id not in ids}
            else:
                sent = [{"id": entry_id, "name": f"Version {number}"} for entry_id in set(ids)]
                task_id = sink.rig.put(*sent, chunk_entries=8)
                state = state | {str(entry["id"]): entry for entry in sent}
            states[task_id] = state
            reads = len(seen) + 4
            wait_until(lambda reads=reads: len(seen) >= reads, "it was read some times", timeout_s=20)
    sink.rig.drain()
    sink.sinks.resume(NAME.name)
    sink.settle()
    sink.check()
    assert [position for position, rows in seen if rows != states[position]] == []
    assert len({position for position, _ in seen}) > 5
    reader.close()
    for one in others:
        one.close()


def test_a_late_writer_changes_nothing(sink: SinkRig) -> None:
    """It has read its position, then sleeps; another takes over and delivers; it wakes up."""
    sink.rig.put(*items("a"))
    sink.rig.drain()
    added = sink.add()
    sink.settle()
    late = connect(added, ACME, timeout_s=5)
    live = late.take_over("late").live
    assert live is not None
    last = sink.rig.put({"id": "a", "name": "Newer"})
    sink.rig.drain()
    sink.settle()
    before = sink.query("SELECT xmin::text, * FROM products"), sink.query("SELECT xmin::text, * FROM sluice_sinks")
    for expected in (live, Copy(read_mark(sink), live.version)):
        with pytest.raises(Superseded):
            late.deliver(CopyChange(Which.LIVE, expected, expected, gone={Kind.ITEMS: ["a"]}))
    after = sink.query("SELECT xmin::text, * FROM products"), sink.query("SELECT xmin::text, * FROM sluice_sinks")
    assert after == before
    assert sink.position() == (last, True)
    late.close()


def read_mark(sink: SinkRig) -> Any:
    other = connect(sink.sinks.get(NAME.name), ACME, timeout_s=5)
    live = other.look().live
    other.close()
    assert live is not None
    return live.mark


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"durability": "fsync", "redis_url": "redis+cluster://a:1"},
        {"durability": "fsync", "redis_url": "redis+sentinel://a:1/b"},
    ],
    ids=["everysec", "fsync, a replica took over", "fsync, Sentinel named another"],
)
def test_what_a_restarted_store_may_have_lost_is_copied_anew(sink: SinkRig, settings: dict[str, Any]) -> None:
    """The table has a task that the store has forgotten, and cannot tell so itself."""
    sink.rig = sink.rig.with_settings(**settings)
    sink.turns = sink.worker()
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    earlier_run = b"0" * 40
    sink.rig.client.hset(STORE_RUNS, earlier_run.decode(), 1)
    earlier = position_in(sink.rig.client, ACME, 1, earlier_run)
    sink.database.execute("UPDATE sluice_sinks SET mark = %s", (earlier.mark,))
    sink.database.execute("INSERT INTO products (id, body, updated_at) VALUES ('lost', '{}', now())")
    sink.turn()
    assert sink.state().phase == "behind"
    sink.settle()
    sink.check()


def test_a_dead_database_makes_the_sink_rest_and_nothing_is_lost(sink: SinkRig, postgres: PostgresServer) -> None:
    """All its processes are killed, then it takes nobody in, then a table is locked, then its processes hang."""
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    sink.rig.put(*items("b"))
    sink.rig.drain()
    sink.database.close()
    postgres.crash()
    name = sink.url.partition("@/")[2].partition("?")[0]
    with postgres.connect("postgres") as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        assert sink.turn() == "failed"
        assert sink.state().failures == 1
        assert troubled(sink) == (1, 0)
        assert sink.state().not_before_ms > sink.rig.clock()
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    sink.turns = sink.worker(connect=lambda *of, timeout_s: connect(*of, timeout_s=0.5))
    sink.database = psycopg.connect(sink.url, autocommit=True)
    with sink.database.transaction():
        sink.database.execute("LOCK TABLE products IN EXCLUSIVE MODE")
        assert sink.turn() == "rests"
        sink.rig.clock.advance(LONGEST_REST_MS)
        assert sink.turn() == "failed"
    assert sink.state().failures == 2
    sink.sinks.resume(NAME.name)
    sink.settle()
    assert sink.state().failures == 0
    assert troubled(sink) == (0, 0)
    assert troubled(sink, SILENT_MS + 1) == (1, 0), "nobody delivers"
    sink.rig.put(*items("c"))
    sink.rig.drain()
    postgres.signal_backends(signal.SIGSTOP)
    try:
        assert sink.turn() == "delivered", "over another connection"
    finally:
        postgres.signal_backends(signal.SIGCONT)
    sink.check()


def troubled(sink: SinkRig, later_ms: int = 0) -> tuple[int, int]:
    """Count troubled sinks, and dead letters."""
    [report] = report_sinks(sink.rig.client, sink.rig.clock() + later_ms)
    return int(report.is_troubled), report.state.dead


def test_the_lease_outlasts_a_call_of_the_destination(sink: SinkRig) -> None:
    sink.add()
    lease = SinkLease(sink.rig.client, sink.rig.settings, "one", NAME)
    lease.hold()
    assert sink.rig.client.pttl(sink.rig.keys().sink_lease(NAME.name)) > CALL_S * 1000


def test_a_connection_is_kept_only_for_the_sink_as_it_is(sink: SinkRig) -> None:
    opened = list[Any]()

    def opens(*of: Any, **options: Any) -> Any:
        opened.append(connect(*of, **options))
        return opened[-1]

    sink.turns = sink.worker(connect=opens)
    sink.add()
    sink.settle()
    sink.settle()
    assert len(opened) == 1
    for _ in range(3):
        sink.sinks.resync(NAME.name)
        sink.settle()
    assert len(opened) == 4
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice%%' AND datname = %s"
    name = sink.database.info.dbname
    wait_until(lambda: sink.query(count, name) == [(1,)], "the others are closed", timeout_s=5)


def test_a_view_stops_the_switch_until_it_is_dropped_and_default_privileges_stay(sink: SinkRig) -> None:
    """As the guide says."""
    sink.database.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO pg_monitor")
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    sink.database.execute("CREATE VIEW names AS SELECT name FROM products")
    sink.sinks.resync(NAME.name)
    assert sink.turn() == "failed"
    assert "other objects depend on it" in sink.state().error
    assert list(sink.rows()) == ["a"]
    sink.database.execute("DROP VIEW names")
    sink.sinks.resume(NAME.name)
    sink.settle()
    sink.check()
    assert sink.query("SELECT has_table_privilege('pg_monitor', 'products', 'SELECT')") == [(True,)]


@pytest.mark.parametrize("table", ["products", "products_variations", "products__next", "products__old"])
@pytest.mark.parametrize("mode", [Variations.TABLE, Variations.NONE])
def test_no_table_of_other_people_is_dropped(sink: SinkRig, table: str, mode: Variations) -> None:
    """Not by a new sink, nor by one whose earlier mapping did not need the name."""
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.database.execute(f"CREATE TABLE {table} (mine int)")
    sink.add(Mapping(mode=mode))
    assert sink.turn() == "failed"
    assert f"a table {table} already, which no sink made" in sink.state().error
    sink.database.execute(f"DROP TABLE {table}")
    sink.sinks.resume(NAME.name)
    sink.settle()
    if mode is Variations.NONE and table != "products":
        sink.database.execute(f"CREATE TABLE {table} (mine int)")
        sink.sinks.remap(NAME.name, DEFAULT)
        assert sink.turn() == "failed"
        assert f"a table {table} already" in sink.state().error
        assert sink.query(f"SELECT mine FROM {table}") == []


def test_a_table_made_while_a_copy_is_switched_is_not_dropped(sink: SinkRig) -> None:
    """The check at the beginning of a turn could not see it."""
    added = sink.add(Mapping(mode=Variations.NONE))
    sink.settle()
    late = connect(replace(added, mapping=DEFAULT), ACME, timeout_s=5)
    live = late.take_over("late").live
    assert live is not None
    late.start_next(replace(live, version="other", cursor=""))
    sink.database.execute("CREATE TABLE products_variations (mine int)")
    with pytest.raises(DestinationAway, match="products_variations"):
        late.switch(replace(live, version="other", cursor=""))
    assert sink.query("SELECT mine FROM products_variations") == []
    late.close()


def test_a_late_writer_does_not_drop_the_next_copy(sink: SinkRig) -> None:
    late = connect(sink.add(), ACME, timeout_s=5)
    sink.settle()
    late.take_over("late")
    sink.sinks.resync(NAME.name)
    assert sink.turn(budget_s=0) == "delivered"
    with pytest.raises(Superseded):
        late.drop_next()
    sink.settle()
    sink.check()
    late.close()


def test_long_entries_are_copied_and_compared_a_few_at_a_time(sink: SinkRig, monkeypatch: pytest.MonkeyPatch) -> None:
    sink.rig.put(*items(*(f"i{number:02d}" for number in range(50)), data={"text": "x" * 1000}))
    sink.rig.drain()
    sink.add()
    monkeypatch.setattr(sink_delivery, "MOST_BYTES", 5_000)
    monkeypatch.setattr(verify, "PAGE_BYTES", 5_000)
    real, sizes = Catalog.page_from, list[int]()

    def page_from(*of: Any, **how: Any) -> EntryPage:
        page = real(*of, **how)
        sizes.append(sum(len(entry.body) for entry in page.entries))
        return page

    monkeypatch.setattr(Catalog, "page_from", page_from)
    sink.settle()
    sink.check()
    assert [(found.compared, found.wrong) for found in sink.verify()] == [(50, 0), (0, 0)]
    assert max(sizes) <= 5_000


def test_a_sink_that_is_not_exact_yet_is_looked_at_once_a_second(sink: SinkRig) -> None:
    rung = list[SinkName]()
    sweep = SinkSweep(sink.rig.client, rung.append, sink.turns.turn, clock=sink.rig.clock, stop=threading.Event())
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    sink.rig.client.hset(sink.rig.keys().sink_state(NAME.name), "exact", 0)
    sweep.once()
    assert rung == []
    sink.rig.clock.advance(INEXACT_MS)
    sweep.once()
    assert rung == [NAME]
