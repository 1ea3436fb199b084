"""A follower that takes the entries out of the feed holds the catalogue, without asking for anything else.

``FOLLOWED_TASKS=2000`` follows a longer history, ``FOLLOWED_ENTRIES=100000`` a bigger sync.
`tests/chaos` follows while everything is killed.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
import tracemalloc
from collections import Counter
from typing import Any

import pytest

from shared.model import Kind, OnMissing, Operation
from tests.support.batches import items, make_batch, named, variations
from tests.support.files import MULTIPART, multipart
from tests.support.ingress import Ingress
from tests.support.rig import Rig

NDJSON = "application/x-ndjson"
ENTRIES = int(os.environ.get("FOLLOWED_ENTRIES", "3000"))
TASKS = int(os.environ.get("FOLLOWED_TASKS", "150"))

pytestmark = pytest.mark.timeout(max(120, TASKS))


class Copy:
    """A copy of one section and of the item groups."""

    def __init__(self, ingress: Ingress) -> None:
        self._ingress = ingress
        self.after = "0"
        self.stood_inside = False
        self.entries: dict[tuple[str, str], Any] = {}

    def follow(self, rnd: random.Random) -> None:
        """Take over some pages."""
        for _ in range(rnd.randrange(1, 4)):
            page = self._ingress.get(
                "/v1/changes", after=self.after, include="entries", num_results_per_page=rnd.randrange(1, 6)
            )
            for change in page["changes"]:
                for entry in change["entries"]:
                    name = change["kind"], entry["id"]
                    if entry["entry"] is None:
                        self.entries.pop(name, None)
                    else:
                        self.entries[name] = entry["entry"]
            self.after = page["next_after"]
            self.stood_inside |= "." in self.after

    def catalogue(self) -> dict[tuple[str, str], Any]:
        """What it should hold, but for update times, which move with an item's variations too."""
        return {
            (kind, entry["id"]): entry
            for kind in Kind
            for entry in self._ingress.get(f"/v2/{kind}", num_results_per_page=100)[kind]
        }


def change_something(ingress: Ingress, rnd: random.Random) -> None:
    """Send a task of any kind, or a few that change nothing."""
    rig, kind = ingress.rig, rnd.choice(list(Kind))
    ids = list(dict.fromkeys(str(rnd.randrange(12)) for _ in range(rnd.randrange(1, 8))))
    made = variations(str(rnd.randrange(12)), *ids) if kind is Kind.VARIATIONS else items(*ids, n=rnd.randrange(3))
    if kind is Kind.ITEM_GROUPS:
        made = [{"id": id_, "name": f"G{rnd.randrange(3)}"} for id_ in ids]
    match rnd.choices(["put", "again", "patch", "delete", "sync", "replace"], [6, 2, 4, 3, 2, 1])[0]:
        case "put":
            rig.put(*made, kind=kind, chunk_entries=rnd.randrange(1, 4))
        case "again":  # the second is unchanged
            rig.put(*made, kind=kind)
            rig.put(*made, kind=kind)
        case "patch" if kind is Kind.ITEMS:
            rig.patch(*made, on_missing=rnd.choice(list(OnMissing)), chunk_entries=rnd.randrange(1, 4))
        case "sync":
            columns = {"items": "id,item_name\n{id},New", "variations": "variation_id,item_id\n{id},{id}"}
            part = rnd.choice(list(columns))
            head, row = columns[part].split("\n")
            rows = "\n".join([head, *(row.format(id=each) for each in ids)])
            answer = ingress.send("PUT", "/v1/catalog", multipart({part: rows}), headers=MULTIPART, force=True)
            assert answer.status_code == 200, answer.text
        case "replace":
            groups = [{"id": each, "name": f"G{each}"} for each in ids]
            rig.submit_batch(make_batch(Operation.REPLACE, groups, kind=Kind.ITEM_GROUPS, section="", force=True))
        case _:
            rig.delete(*named(*ids[:3]), kind=kind, chunk_entries=2)


def without_times(entries: dict[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    return {name: {**entry, "updated_at": None} for name, entry in entries.items()}


def test_whoever_follows_with_entries_has_the_catalogue(
    rig: Rig, ingress: Ingress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every moment it has caught up, over a random history of all kinds, in pages of any size."""
    rnd, copy = random.Random(7), Copy(ingress)
    monkeypatch.setattr("api.follow.changes.MOST_IDS", 5)
    while int(rig.client.get(rig.keys().seq) or 0) < TASKS:
        for _ in range(rnd.randrange(1, 5)):
            change_something(ingress, rnd)
        rig.drain()
        copy.follow(rnd)
    while ingress.get("/v1/changes", after=copy.after)["next_after"] != copy.after:
        copy.follow(rnd)
    assert without_times(copy.entries) == without_times(copy.catalogue())
    assert copy.stood_inside


def test_a_sync_of_any_size_comes_in_pages_of_one_size(rig: Rig, ingress: Ingress) -> None:
    """With what it leaves out: no page, and nothing that is held for one, grows with the task."""

    def sync(first: int) -> None:
        rows = "".join(f"{number},Item\n" for number in range(first, first + ENTRIES))
        answer = ingress.send(
            "PUT", "/v1/catalog", multipart({"items": "id,item_name\n" + rows}), headers=MULTIPART, force=True
        )
        assert answer.status_code == 200, answer.text
        rig.drain()

    sync(0)
    sync(ENTRIES)
    seen, after, more, peaks = Counter[str](), "0", True, list[int]()
    tracemalloc.start()
    try:
        while more:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            page = ingress.get("/v1/changes", after=after, include="entries")
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
            outcomes = [entry["outcome"] for change in page["changes"] for entry in change["entries"]]
            assert len(outcomes) < 2000
            seen.update(outcomes)
            after, more = page["next_after"], page["more"]
    finally:
        tracemalloc.stop()
    assert seen == {"created": 2 * ENTRIES, "deleted": ENTRIES}
    assert max(peaks) < 8 * 1024 * 1024 + 10 * ENTRIES


def test_entries_are_as_of_a_position_that_is_told(rig: Rig, ingress: Ingress) -> None:
    """It may be later than the changes: whoever goes on from there misses none."""
    rig.put(*items("a", n=1))
    rig.put(*items("a", n=2), *items("b"))
    rig.delete(*named("b"))
    rig.drain()
    page = ingress.get("/v1/changes", after=0, include="entries", num_results_per_page=1)
    [change] = page["changes"]
    assert (change["entries"][0]["entry"]["n"], page["next_after"].split("-")[0]) == (2, "1")
    assert page["as_of"].split("-")[0] == "3"
    [change] = ingress.get("/v1/changes", after=1, include="entries", num_results_per_page=1)["changes"]
    assert [entry["entry"] and entry["id"] for entry in change["entries"]] == ["a", None]


def test_kinds_are_picked(rig: Rig, ingress: Ingress) -> None:
    rig.put(*items("a"))
    rig.put(*variations("a", "v"), kind=Kind.VARIATIONS)
    rig.put({"id": "g", "name": "G"}, kind=Kind.ITEM_GROUPS)
    rig.drain()
    page = ingress.get("/v1/changes", after=0, kinds=["variations", "item_groups"])
    assert [change["kind"] for change in page["changes"]] == ["variations", "item_groups"]


def test_lines_tell_the_same(rig: Rig, ingress: Ingress) -> None:
    rig.put(*items("a", "b"))
    rig.drain()
    answer = ingress.send("GET", "/v1/changes", after=0, include="entries", headers={"Accept": NDJSON})
    assert answer.content_type == NDJSON
    *entries, position = map(json.loads, answer.data.splitlines())
    assert [(entry["task_id"], entry["kind"], entry["id"], entry["outcome"]) for entry in entries] == [
        (1, "items", "a", "created"), (1, "items", "b", "created"),
    ]  # fmt: skip
    assert entries[0]["entry"] == ingress.get("/v2/items/a")
    assert set(position) == {"next_after", "more", "restarted", "as_of"}


def test_a_wait_ends_with_the_first_change_that_was_asked_for(rig: Rig, ingress: Ingress) -> None:
    """Others go by; without any, it ends when the time is up."""
    rig.put(*items("a"))
    rig.drain()
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(ingress.get("/v1/changes", after=1, kinds="items", wait=20)))
    waiting.start()
    rig.put({"id": "g", "name": "G"}, kind=Kind.ITEM_GROUPS)
    rig.drain()
    rig.put(*items("b"))
    rig.drain()
    waiting.join(15)
    [page] = found
    assert [entry["id"] for change in page["changes"] for entry in change["entries"]] == ["b"]
    begun = time.monotonic()
    assert ingress.get("/v1/changes", after=3, wait=1)["changes"] == []
    assert time.monotonic() - begun >= 1
