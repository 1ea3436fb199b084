"""/metrics tells the truth about the store and the partitions, the ingress and the drain."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.catalog.effects import Effects
from shared.partition.heartbeats import Heartbeats
from shared.store.client import connect
from shared.telemetry import metrics
from shared.telemetry.gauges import look
from tests.support.batches import items, named
from tests.support.ingress import Ingress
from tests.support.interposed import interposed
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer
from workers.apply import applier


def seen(rig: Rig) -> dict[str, float]:
    """Everything that /metrics says now, by series."""
    return parsed(metrics.exposition(lambda: look(rig.client, rig.clock()))[0].decode())


def parsed(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {series: float(value) for series, _, value in lines}


def grown(rig: Rig, act: Callable[[], object]) -> dict[str, float]:
    """What was counted while something was done."""
    before = seen(rig)
    act()
    after = seen(rig)
    return {series: value - before.get(series, 0) for series, value in after.items() if value != before.get(series, 0)}


def broken(*_: object) -> Effects:
    raise RuntimeError("broken")


def of(name: str, catalog_key: str = ACME) -> str:
    return f'{name}{{catalog_key="{catalog_key}"}}'


def test_the_backlog_of_every_partition_is_told(rig: Rig) -> None:
    rig.put(*items("a", "b", "c"))
    rig.put(*items("d"))
    rig.put(*items("a"), catalog_key="other")
    rig.clock.advance(7_000)
    told = seen(rig)
    assert told[of("sluice_backlog_batches")] == 2
    assert told[of("sluice_backlog_entries")] == 4
    assert told[of("sluice_backlog_bytes")] == rig.state().bytes
    assert told[of("sluice_backlog_oldest_seconds")] == 7
    assert told[of("sluice_backlog_batches", "other")] == 1
    assert told["sluice_backlog_partitions"] == 2


def test_a_half_done_batch_counts_with_what_is_left_of_it(rig: Rig) -> None:
    rig.put(*items(*"abcdef"), chunk_entries=2)
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant)[:2])
    assert seen(rig)[of("sluice_backlog_entries")] == 2


def test_a_partition_that_is_done_has_no_series_any_more(rig: Rig) -> None:
    """The number of series is that of the partitions that wait, not of all there ever were."""
    rig.put(*items("a"))
    rig.drain()
    assert not [series for series in seen(rig) if "catalog_key" in series]


def test_no_more_than_so_many_partitions_have_series(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "LABELLED_PARTITIONS", 2)
    for number in range(3):
        rig.put(*items("a"), catalog_key=f"shop-{number}")
        rig.clock.advance(1)
    told = seen(rig)
    assert [series for series in told if series.startswith("sluice_backlog_batches")] == [
        of("sluice_backlog_batches", "shop-0"), of("sluice_backlog_batches", "shop-1"),
    ]  # fmt: skip
    assert told["sluice_backlog_partitions"] == 3


def test_a_stuck_partition_is_told(rig: Rig) -> None:
    narrow = rig.with_settings(max_stalls=1)
    narrow.put(*items(*"abcd"), chunk_entries=1)
    grant = narrow.acquire()
    narrow.take(grant, narrow.plan(grant)[:1])
    narrow.expire_lease()
    assert narrow.claim(holder="another", nonce="n").acquire() == "STUCK"
    assert seen(rig)[of("sluice_partition_stuck")] == 1


def test_workers_and_memory_are_told(rig: Rig) -> None:
    Heartbeats(rig.client).beat("host:1", rig.clock())
    rig.put(*items("a"))
    told = seen(rig)
    assert told["sluice_workers"] == 1
    assert told["sluice_store_up"] == 1
    assert 0 < told["sluice_store_memory_bytes"] < told["sluice_store_memory_max_bytes"]
    assert told["sluice_store_memory_reserved_bytes"] > 0
    rig.drain()
    assert seen(rig)["sluice_store_memory_reserved_bytes"] == 0


def test_without_the_store_metrics_still_answer_and_say_so() -> None:
    away = connect("redis://127.0.0.1:1/0")
    told = parsed(metrics.exposition(lambda: look(away, 0))[0].decode())
    assert told["sluice_store_up"] == 0
    assert "sluice_bytes_accepted_total" in told


def test_a_thousand_partitions_are_told_in_a_moment(rig: Rig, record_property: Callable[[str, object], None]) -> None:
    """Measured at 45 ms on two cores; the bound only tells a moment from a minute, on however busy a machine."""
    for number in range(1000):
        rig.put(*items("a"), catalog_key=f"shop-{number:03}")
    best = 10.0
    for _ in range(5):
        start = time.perf_counter()
        told = seen(rig)
        best = min(best, time.perf_counter() - start)
    assert len([series for series in told if series.startswith("sluice_backlog_batches")]) == 1000
    record_property("seconds", best)
    rig.client.flushall()
    assert best < 5


# -- what is counted --------------------------------------------------------------------------------------------------


def test_an_accepted_batch_is_counted_with_its_entries(rig: Rig, ingress: Ingress) -> None:
    body = {"items": items("a", "b")}
    counted = grown(rig, lambda: ingress.write("PUT", "/v2/items", body))
    assert counted['sluice_batches_accepted_total{kind="items",operation="put"}'] == 1
    assert counted['sluice_entries_accepted_total{kind="items",operation="put"}'] == 2
    assert counted["sluice_submit_seconds_count"] == 1


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"body": {"items": []}}, "invalid"),
        ({"body": {"items": items("a")}, "token": "tok-nobody"}, "unauthorized"),
        ({"body": {"items": items("a")}, "token": "tok-reader"}, "forbidden"),
        ({"body": b"x", "headers": {"Content-Type": "text/csv"}}, "unsupported"),
    ],
)
def test_a_refused_write_is_counted_by_its_reason(
    rig: Rig, ingress: Ingress, how: dict[str, object], reason: str
) -> None:
    counted = grown(rig, lambda: ingress.send("PUT", "/v2/items", **how))  # type: ignore[arg-type]
    assert {series: n for series, n in counted.items() if "rejected" in series} == {
        f'sluice_writes_rejected_total{{reason="{reason}"}}': 1
    }


def test_a_full_queue_is_counted(rig: Rig, store_server: StoreServer) -> None:
    narrow = Ingress(replace(rig, settings=replace(rig.settings, queue_tasks=1)), store_server.url)
    narrow.write("PUT", "/v2/items", {"items": items("a")})
    counted = grown(rig, lambda: narrow.send("PUT", "/v2/items", {"items": items("a")}))
    assert counted['sluice_writes_rejected_total{reason="queue_full"}'] == 1


def test_a_refused_read_is_no_rejected_write(rig: Rig, ingress: Ingress) -> None:
    assert not [series for series in grown(rig, lambda: ingress.send("GET", "/v2/items/none")) if "rejected" in series]


def test_what_a_drain_did_is_counted(rig: Rig) -> None:
    rig.put(*items("a", "b"))
    rig.patch({"id": "none", "name": "x"})
    counted = grown(rig, lambda: rig.drainer().drain(ACME))
    assert counted['sluice_entries_applied_total{kind="items",operation="put"}'] == 2
    assert counted['sluice_tasks_ended_total{status="DONE"}'] == 1
    assert counted['sluice_tasks_ended_total{status="FAILED"}'] == 1
    assert counted["sluice_drain_seconds_count"] == 1
    assert counted["sluice_commit_seconds_count"] >= 1
    assert "sluice_sweeps_found_total" not in counted


def test_a_task_of_many_chunks_ends_once(rig: Rig) -> None:
    rig.put(*items(*"abcdef"), chunk_entries=1)
    counted = grown(rig, lambda: rig.drainer().drain(ACME))
    assert counted['sluice_tasks_ended_total{status="DONE"}'] == 1
    assert counted['sluice_entries_applied_total{kind="items",operation="put"}'] == 6


def test_what_the_sweep_finds_is_counted(rig: Rig) -> None:
    rig.put(*items("a"))
    counted = grown(rig, lambda: rig.drainer(swept=True).drain(ACME))
    assert counted["sluice_sweeps_found_total"] == 1


def test_a_lost_lease_is_counted_as_lost_and_its_commit_as_fenced(rig: Rig) -> None:
    rig.put(*items("a"))

    def take_over() -> None:
        rig.expire_lease()
        rig.acquire()

    late = rig.drainer(open_claim=interposed(rig, before_take=take_over))
    counted = grown(rig, lambda: late.drain(ACME))
    assert counted['sluice_commits_refused_total{answer="FENCED"}'] == 1
    assert counted["sluice_leases_lost_total"] == 1
    assert counted["sluice_drain_seconds_count"] == 1
    assert not [series for series in counted if "ended" in series or "applied" in series]


def test_steps_before_a_canceled_one_are_counted(rig: Rig) -> None:
    first, second = rig.put(*items("a")), rig.put(*items("b"))
    drainer = rig.drainer(open_claim=interposed(rig, before_take=lambda: rig.cancel(second)))
    counted = grown(rig, lambda: drainer.drain(ACME))
    assert counted['sluice_tasks_ended_total{status="DONE"}'] == 1
    assert counted['sluice_entries_applied_total{kind="items",operation="put"}'] == 1
    assert rig.statuses() == {first: "DONE", second: "CANCELED"}


def test_partitions_that_are_drained_together_are_counted_each(rig: Rig) -> None:
    for catalog_key in ("one", "two"):
        rig.put(*items("a"), catalog_key=catalog_key)
    counted = grown(rig, lambda: rig.drainer(swept=True).drain_together(["one", "two"]))
    assert counted['sluice_tasks_ended_total{status="DONE"}'] == 2
    assert counted["sluice_drain_seconds_count"] == counted["sluice_commit_seconds_count"] == 2
    assert counted["sluice_sweeps_found_total"] == 2


def test_a_drain_that_an_error_ends_is_counted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.put(*items("a"))
    monkeypatch.setattr(applier, "apply", broken)

    def drain() -> None:
        with pytest.raises(RuntimeError, match="broken"):
            rig.drainer().drain(ACME)

    counted = grown(rig, drain)
    assert counted["sluice_drains_failed_total"] == 1
    assert counted["sluice_drain_seconds_count"] == 1


def test_cancel_and_re_run_are_counted(rig: Rig, ingress: Ingress) -> None:
    task_id = ingress.write("DELETE", "/v2/items", {"items": named("a")})
    counted = grown(rig, lambda: ingress.send("PATCH", f"/v1/tasks/{task_id}", {"status": "CANCELED"}))
    assert counted['sluice_tasks_changed_total{change="CANCEL"}'] == 1
    assert counted['sluice_tasks_ended_total{status="CANCELED"}'] == 1
    counted = grown(rig, lambda: ingress.send("PATCH", f"/v1/tasks/{task_id}", {"status": "QUEUED"}))
    assert counted['sluice_tasks_changed_total{change="RERUN"}'] == 1


def test_without_a_token_nobody_learns_who_the_customers_are(
    rig: Rig, store_server: StoreServer, ingress: Ingress
) -> None:
    """Whoever asks gets the sums, and the age of the oldest; whoever has the token the catalogs."""
    for catalog_key in ("big-customer", "secret-customer"):
        rig.put(*items("a", "b"), catalog_key=catalog_key)
        rig.clock.advance(1_000)
    told = ingress.send("GET", "/metrics").text
    assert "customer" not in told
    assert {name: value for name, value in parsed(told).items() if "backlog" in name and "bytes" not in name} == {
        "sluice_backlog_partitions": 2, "sluice_backlog_batches": 2, "sluice_backlog_entries": 4,
        "sluice_backlog_oldest_seconds": 2,
    }  # fmt: skip
    closed = Ingress(replace(rig, settings=replace(rig.settings, metrics_token="m-token")), store_server.url)
    told = closed.send("GET", "/metrics", headers={"Authorization": "Bearer m-token"}).text
    assert parsed(told)[of("sluice_backlog_oldest_seconds", "secret-customer")] == 1


def test_metrics_may_want_a_token(rig: Rig, store_server: StoreServer, ingress: Ingress) -> None:
    assert ingress.send("GET", "/metrics").status_code == 200
    closed = Ingress(replace(rig, settings=replace(rig.settings, metrics_token="m-token")), store_server.url)
    assert closed.send("GET", "/metrics").status_code == 401
    assert closed.send("GET", "/metrics", headers={"Authorization": "Bearer other"}).status_code == 401
    answer = closed.send("GET", "/metrics", headers={"Authorization": "Bearer m-token"})
    assert answer.status_code == 200
    assert re.search(r"^sluice_store_up 1\.0$", answer.text, re.M)
