"""Named cursors: a follower's position is kept as it told it, and everybody sees how far behind it is."""

from __future__ import annotations

from typing import Any

import pytest

from shared import keys
from shared.tasks import cursors
from shared.telemetry import metrics
from shared.telemetry.gauges import look
from tests.support.batches import items
from tests.support.ingress import OTHER, READER_TOKEN, Ingress
from tests.support.rig import ACME, Rig
from tests.support.server_run import server_run

CURSORS = "/v1/changes/cursors"


def put(ingress: Ingress, name: str, after: str, **how: Any) -> Any:
    return ingress.send("PUT", f"{CURSORS}/{name}", {"after": after}, **how)


def change(rig: Rig, *ids: str) -> None:
    """A task that ends in the next second."""
    rig.put(*items(*ids, n=rig.clock()))
    rig.clock.advance(1000)
    rig.drain()


def position(ingress: Ingress) -> str:
    """Where somebody stands who has read everything."""
    found: str = ingress.get("/v1/changes", num_results_per_page=100)["next_after"]
    return found


def test_a_cursor_is_kept_and_tells_how_far_behind_it_is(rig: Rig, ingress: Ingress) -> None:
    """Tasks and the time since the first of them exactly, entries as they were sent."""
    change(rig, "a")
    here = position(ingress)
    kept = put(ingress, "indexer", here, token=READER_TOKEN)
    assert kept.status_code == 200, kept.text
    caught_up = {"tasks": 0, "entries": 0, "entries_estimated": False, "seconds": 0}
    assert {**kept.json, "updated_at": None} == {
        "name": "indexer", "after": here, "updated_at": None, "state": "ok", "restarted": False, "lag": caught_up,
    }  # fmt: skip
    change(rig, "a", "b")
    change(rig, "c")
    assert ingress.get(f"{CURSORS}/indexer")["lag"] == {**caught_up, "tasks": 2, "entries": 3, "seconds": 1}
    assert put(ingress, "indexer", position(ingress)).json["lag"] == caught_up
    assert [one["name"] for one in ingress.get(CURSORS)["cursors"]] == ["indexer"]


def test_entries_of_many_tasks_are_estimated_and_it_says_so(
    rig: Rig, ingress: Ingress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cursors, "COUNTED_TASKS", 2)
    put(ingress, "a", "0")
    for ids in (("1", "2"), ("3", "4"), ("5", "6"), ("7",)):
        change(rig, *ids)
    assert ingress.get(f"{CURSORS}/a")["lag"] == {"tasks": 4, "entries": 8, "entries_estimated": True, "seconds": 3}


def test_the_feed_is_read_from_a_cursor(rig: Rig, ingress: Ingress) -> None:
    """A follower needs no memory of its own."""
    seen = []
    put(ingress, "a", "0")
    for each in ("1", "2", "3"):
        change(rig, each)
        page = ingress.get("/v1/changes", cursor="a")
        seen += [entry["id"] for change in page["changes"] for entry in change["entries"]]
        put(ingress, "a", page["next_after"])
    assert seen == ["1", "2", "3"]
    assert ingress.send("GET", "/v1/changes", cursor="nobody").status_code == 404
    assert ingress.send("GET", "/v1/changes", cursor="a", after="0").json["message"] == (
        "after, cursor are mutually exclusive"
    )


def test_a_cursor_inside_a_task_counts_that_task(rig: Rig, ingress: Ingress) -> None:
    rig.put(*items("a", "b", "c"), chunk_entries=1)
    rig.drain()
    [outside] = ingress.get("/v1/changes")["changes"]
    inside = f"{outside['task_id']}.1-{position(ingress).split('-')[1]}"
    assert put(ingress, "a", inside).json["lag"]["tasks"] == 1
    page = ingress.get("/v1/changes", cursor="a")
    assert [entry["id"] for entry in page["changes"][0]["entries"]] == ["b", "c"]


@pytest.mark.parametrize("after", ["", "x", "7", "1-0123abcd", "99999999999", None, 1])
def test_a_position_that_the_feed_has_not_told_is_refused(rig: Rig, ingress: Ingress, after: Any) -> None:
    change(rig, "a")
    refused = put(ingress, "a", after)
    assert (refused.status_code, refused.json["errors"][0]["loc"]) == (400, "after")
    assert ingress.get(CURSORS)["cursors"] == []


def test_a_position_ahead_of_the_feed_or_of_another_catalog_is_refused(rig: Rig, ingress: Ingress) -> None:
    change(rig, "a")
    mark = position(ingress).split("-")[1]
    assert put(ingress, "a", f"2-{mark}").json["message"] == "after: value is ahead of the feed, which is at task 1"
    others = ingress.get("/v1/changes", key=OTHER, token="tok-other")["next_after"]
    assert put(ingress, "a", others).json["message"] == (
        "after: value is not a position that the feed of this key has told"
    )


def test_a_cursor_that_the_feed_no_longer_reaches_back_to_is_behind(rig: Rig, ingress: Ingress) -> None:
    """It keeps nothing from being deleted, and the feed says where to go on after reading everything."""
    change(rig, "a")
    put(ingress, "slow", position(ingress))
    put(ingress, "new", "0")
    change(rig, "b")
    change(rig, "c")
    brief = rig.with_settings(payload_retention_s=1)
    brief.clock.advance(5000)
    brief.retention().retire(now_ms=brief.clock(), limit=100)
    for name in ("slow", "new"):
        found = ingress.get(f"{CURSORS}/{name}")
        assert (found["state"], found["lag"]) == ("behind", None)
    gone = ingress.send("GET", "/v1/changes", cursor="slow")
    assert gone.status_code == 410
    assert put(ingress, "slow", gone.json["next_after"]).json["state"] == "ok"


def test_a_cursor_whose_history_the_store_has_lost_says_so(rig: Rig, ingress: Ingress) -> None:
    """Also if it has given out the same ids again since."""
    change(rig, "a")
    put(ingress, "a", position(ingress))
    rig.client.hdel(keys.STORE_RUNS, server_run(rig.client))
    rig.client.hset(rig.keys().cursors, "a", rig.client.hget(rig.keys().cursors, "a").replace(b'mark":"', b'mark":"0'))
    found = ingress.get(f"{CURSORS}/a")
    assert (found["state"], found["restarted"], found["lag"]) == ("lost", True, None)
    assert ingress.send("GET", "/v1/changes", cursor="a").status_code == 410


def test_metrics_tell_who_is_behind(rig: Rig, ingress: Ingress) -> None:
    """By catalog; for whoever may not know the catalogs, one number of all."""
    put(ingress, "a", "0")
    change(rig, "a")
    put(ingress, "b", position(ingress))
    rig.clock.advance(4000)

    def told(*, named: bool) -> str:
        text = metrics.exposition(lambda: look(rig.client, rig.clock(), named=named))[0].decode()
        return "\n".join(line for line in text.splitlines() if line.startswith("sluice_cursor"))

    assert told(named=True) == (
        'sluice_cursor_lag_seconds{catalog_key="acme"} 4.0\nsluice_cursors_behind{catalog_key="acme"} 0.0'
    )
    change(rig, "c")
    rig.with_settings(task_retention_s=1).retention().retire(now_ms=rig.clock() + 5000, limit=100)
    assert told(named=False) == "sluice_cursor_lag_seconds 0.0\nsluice_cursors_behind 2.0"


def test_cursors_are_removed(ingress: Ingress) -> None:
    put(ingress, "a", "0")
    put(ingress, "b", "0")
    assert ingress.rig.client.zrange(keys.CURSORS, 0, -1) == [ACME.encode()]
    left = ingress.send("DELETE", f"{CURSORS}/a", token=READER_TOKEN)
    assert [one["name"] for one in left.json["cursors"]] == ["b"]
    for call in ("GET", "DELETE"):
        assert ingress.send(call, f"{CURSORS}/a").status_code == 404
    assert ingress.send("DELETE", f"{CURSORS}/b").status_code == 200
    assert ingress.rig.client.exists(keys.CURSORS, ingress.rig.keys().cursors) == 0


def test_names_and_their_number_are_bounded(ingress: Ingress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursors, "MOST", 2)
    for name in ("sp%20ace", "x" * 101, "%C3%A9", "a%3Ab"):
        assert put(ingress, name, "0").json["errors"][0]["loc"] == "name"
    assert [put(ingress, name, "0").status_code for name in ("a", "b", "c", "a")] == [200, 200, 400, 200]
    assert put(ingress, "c", "0").json["message"] == "name: a key may have at most 2 cursors"


def test_another_position_under_a_used_key_is_refused(rig: Rig, ingress: Ingress) -> None:
    change(rig, "a")
    once = {"Idempotency-Key": "once"}
    assert put(ingress, "a", "0", headers=once).status_code == 200
    assert put(ingress, "a", position(ingress), headers=once).status_code == 409
    assert ingress.get(f"{CURSORS}/a")["after"] == "0"
