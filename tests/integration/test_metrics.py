"""What /metrics tells of the store and of the partitions, and what the ingress and the drain count."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from shared import metrics
from shared.heartbeats import Heartbeats
from shared.store import connect
from shared.store_metrics import look
from tests.support.batches import items, named
from tests.support.ingress import Ingress
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer
from workers.observed import ObservedPartition, SweptPartition


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


def observed(rig: Rig, kind: type[ObservedPartition] = ObservedPartition) -> Callable[[str], ObservedPartition]:
    return partial(kind, rig.client, rig.settings)


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
    assert told[of("sluice_backlog_bytes")] == rig.partition().state().bytes
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
    assert narrow.partition().acquire("another", nonce="n") == "STUCK"
    assert seen(rig)[of("sluice_partition_stuck")] == 1


def test_workers_and_memory_are_told(rig: Rig) -> None:
    Heartbeats(rig.client).beat("host:1", rig.clock())
    told = seen(rig)
    assert told["sluice_workers"] == 1
    assert told["sluice_store_up"] == 1
    assert 0 < told["sluice_store_memory_bytes"] < told["sluice_store_memory_max_bytes"]


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
    counted = grown(rig, lambda: rig.drainer(open_partition=observed(rig)).drain(ACME))
    assert counted['sluice_entries_applied_total{kind="items",operation="put"}'] == 2
    assert counted['sluice_tasks_ended_total{status="DONE"}'] == 1
    assert counted['sluice_tasks_ended_total{status="FAILED"}'] == 1
    assert counted["sluice_drain_seconds_count"] == 1
    assert counted["sluice_commit_seconds_count"] >= 1
    assert "sluice_sweeps_found_total" not in counted


def test_a_task_of_many_chunks_ends_once(rig: Rig) -> None:
    rig.put(*items(*"abcdef"), chunk_entries=1)
    counted = grown(rig, lambda: rig.drainer(open_partition=observed(rig)).drain(ACME))
    assert counted['sluice_tasks_ended_total{status="DONE"}'] == 1
    assert counted['sluice_entries_applied_total{kind="items",operation="put"}'] == 6


def test_what_the_sweep_finds_is_counted(rig: Rig) -> None:
    rig.put(*items("a"))
    counted = grown(rig, lambda: rig.drainer(open_partition=observed(rig, SweptPartition)).drain(ACME))
    assert counted["sluice_sweeps_found_total"] == 1


def test_a_lost_lease_is_counted_as_lost_and_its_commit_as_fenced(rig: Rig) -> None:
    rig.put(*items("a"))
    partition = observed(rig)(ACME)
    grant = partition.acquire("one", nonce="n1")
    steps = rig.plan(grant)  # type: ignore[arg-type]
    rig.expire_lease()
    rig.acquire()
    counted = grown(
        rig, lambda: partition.take(grant.token, "", steps, now_ms=rig.clock(), wants_more=False)  # type: ignore[union-attr]
    )  # fmt: skip
    assert counted['sluice_commits_refused_total{answer="FENCED"}'] == 1
    assert counted["sluice_leases_lost_total"] == 1
    assert not [series for series in counted if "ended" in series or "applied" in series]


def test_steps_before_a_canceled_one_are_counted(rig: Rig) -> None:
    first, second = rig.put(*items("a")), rig.put(*items("b"))
    partition = observed(rig)(ACME)
    grant = partition.acquire("one", nonce="n1")
    steps = rig.plan(grant)  # type: ignore[arg-type]
    rig.cancel(second)
    counted = grown(
        rig, lambda: partition.take(grant.token, "", steps, now_ms=rig.clock(), wants_more=False)  # type: ignore[union-attr]
    )  # fmt: skip
    assert counted['sluice_tasks_ended_total{status="DONE"}'] == 1
    assert rig.statuses() == {first: "DONE", second: "CANCELED"}


def test_cancel_and_re_run_are_counted(rig: Rig, ingress: Ingress) -> None:
    task_id = ingress.write("DELETE", "/v2/items", {"items": named("a")})
    counted = grown(rig, lambda: ingress.send("PATCH", f"/v1/tasks/{task_id}", {"status": "CANCELED"}))
    assert counted['sluice_tasks_changed_total{change="CANCEL"}'] == 1
    assert counted['sluice_tasks_ended_total{status="CANCELED"}'] == 1
    counted = grown(rig, lambda: ingress.send("PATCH", f"/v1/tasks/{task_id}", {"status": "QUEUED"}))
    assert counted['sluice_tasks_changed_total{change="RERUN"}'] == 1


def test_metrics_may_want_a_token(rig: Rig, store_server: StoreServer, ingress: Ingress) -> None:
    assert ingress.send("GET", "/metrics").status_code == 200
    closed = Ingress(replace(rig, settings=replace(rig.settings, metrics_token="m-token")), store_server.url)
    assert closed.send("GET", "/metrics").status_code == 401
    assert closed.send("GET", "/metrics", headers={"Authorization": "Bearer other"}).status_code == 401
    answer = closed.send("GET", "/metrics", headers={"Authorization": "Bearer m-token"})
    assert answer.status_code == 200
    assert re.search(r"^sluice_store_up 1\.0$", answer.text, re.M)
