"""What is sent as it is stored: it is told as unchanged, and nothing of it is written."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from shared.model import NO_SECTION, Kind, OnMissing, Operation
from shared.store.positions import Position
from shared.tasks.change_feed import ChangeFeed
from tests.support.batches import items, named, variations
from tests.support.files import MULTIPART, multipart
from tests.support.ingress import Ingress
from tests.support.laws import read_json
from tests.support.rig import ACME, Rig

PLACES = [(Kind.ITEMS, "Products"), (Kind.VARIATIONS, "Products"), (Kind.ITEM_GROUPS, NO_SECTION)]
V1 = (Operation.MODIFY, Operation.AMEND)
V1_GROUPS = (Operation.UPSERT, Operation.REPLACE)

Stored = dict[tuple[str, str], tuple[int, bytes]]


def stored(rig: Rig) -> Stored:
    """Every entry, with the time of its last change."""
    return {
        (kind, entry.id): (entry.updated_ms, entry.body)
        for kind, section in PLACES
        for entry in rig.catalog().page(kind, section, offset=0, size=1000).entries
    }


def told(rig: Rig, task_id: int) -> set[tuple[str, str]]:
    """The entries that the change feed has of a task."""
    changes = ChangeFeed(rig.client, ACME).page(Position(task_id - 1), section=None, size=1).changes
    return {(one.kind, entry_id) for one in changes if one.task_id == task_id for entry_id, _ in one.entries}


def written_anyhow(rnd: random.Random, value: Any) -> bytes:
    """Write a value with its members in any order, and any white space."""

    def shuffled(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: shuffled(part[name]) for name in rnd.sample(list(part), len(part))}
        return [shuffled(one) for one in part] if isinstance(part, list) else part

    return json.dumps(shuffled(value), indent=rnd.choice([None, 1, "\t"])).encode()


def some_entry(rnd: random.Random, entry_id: str, **more: Any) -> dict[str, Any]:
    """One of so few entries that many come again."""
    data = {"price": rnd.choice([1, 1.0, 12, 21]), "tags": rnd.choice([["a", "b"], ["b", "a"]])}
    return {"id": entry_id, "name": "x", "data": data, **more}


def send_any(rig: Rig, rnd: random.Random) -> tuple[Kind, list[str], int]:
    """Send a random small batch; returns its kind, its ids, and its task."""
    ids, kind = rnd.sample("abcdef", rnd.randrange(1, 5)), rnd.choice(list(Kind))
    operation = rnd.choice([Operation.PUT, Operation.PUT, Operation.PATCH, *(V1 if kind is Kind.ITEMS else ())])
    if kind is Kind.ITEM_GROUPS:
        operation = rnd.choice([Operation.PUT, *V1_GROUPS])
    entries = [some_entry(rnd, entry_id) for entry_id in ids]
    for entry in entries:
        if kind is Kind.VARIATIONS:
            entry["item_id"] = rnd.choice("abcdefg")
        if operation in V1:
            entry["variations"] = [some_entry(rnd, rnd.choice("uv") + entry["id"], item_id=entry["id"])]
    texts = [written_anyhow(rnd, entry) for entry in entries]
    if rnd.random() < 0.15:
        return kind, ids[:2], rig.delete(*named(*ids[:2]), kind=kind)
    return kind, ids, rig.send(operation, texts, kind=kind, on_missing=OnMissing.CREATE)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_told_as_unchanged_is_as_it_was(rig: Rig, seed: int) -> None:
    """Body, update time and feed: over a random history, and nothing that changed is left out of the feed."""
    rnd = random.Random(seed)
    outcomes: set[str] = set()
    for _ in range(60):
        before = stored(rig)
        rig.clock.advance(1000)
        kind, ids, task_id = send_any(rig, rnd)
        rig.drain()
        after, changed = stored(rig), told(rig, task_id)
        for entry_id, outcome in zip(ids, rig.report(task_id), strict=True):
            outcomes.add(outcome)
            assert ((kind, entry_id) in changed) == (outcome in "cud")
            if outcome == "n":
                assert after[kind, entry_id] == before[kind, entry_id]
        for name in before.keys() | after.keys():
            if read_body(before, name) != read_body(after, name):
                assert name in changed, f"{name} changed, but the feed does not say so"
    rig.check_laws()
    assert {*"cun"} <= outcomes


def read_body(entries: Stored, name: tuple[str, str]) -> Any:
    return read_json(entries[name][1]) if name in entries else None


def test_a_sync_keeps_what_is_unchanged(ingress: Ingress) -> None:
    """With its update time, unless one of its variations changes or goes."""
    rig = ingress.rig
    rig.put(*items("a", "b", "c", "d"))
    rig.put(*variations("a", "a-1"), *variations("b", "b-1", "b-2"), *variations("c", "c-1"), kind=Kind.VARIATIONS)
    rig.put(*items("g"), kind=Kind.ITEM_GROUPS)
    rig.drain()
    before = stored(rig)
    rig.clock.advance(60_000)
    sent = {
        "items": [*items("a", "b", "c"), {"id": "d", "name": "new"}],
        "variations": [*variations("a", "a-1"), *variations("b", "b-1"), {"id": "c-1", "item_id": "c", "name": "new"}],
        "item_groups": items("g"),
    }
    files = {kind: "\n".join(map(json.dumps, entries)) for kind, entries in sent.items()}
    task_id = ingress.write("PUT", "/v1/catalog", multipart(files), headers=MULTIPART, format="jsonl")
    rig.drain()
    after = stored(rig)
    assert {name for name in after if after[name] == before[name]} == {
        ("items", "a"), ("variations", "a-1"), ("variations", "b-1"), ("item_groups", "g"),
    }  # fmt: skip
    assert told(rig, task_id) == {("items", "d"), ("variations", "c-1"), ("variations", "b-2")}
    changelog = ingress.get(f"/v1/tasks/{task_id}")["result"]["changelog"]
    assert changelog == {
        "sections": {
            "Products": {
                "items_updated": 4, "items_unchanged": 3, "items_deleted": 0,
                "variations_updated": 3, "variations_unchanged": 2, "variations_deleted": 1,
            }
        },
        "item_groups_updated": 1, "item_groups_unchanged": 1, "item_groups_deleted": 0,
    }  # fmt: skip


def test_what_was_patched_since_is_compared_too(rig: Rig) -> None:
    """An item is what it was written as with all that was PATCHed since, wherever that is kept."""
    long = {"description": "long " * 100, "price": 1}
    ids = [f"i{number:02d}" for number in range(40)]
    rig.put(*({"id": id_, "name": "x", "data": long} for id_ in ids))
    rig.patch(*({"id": id_, "data": {"price": 2}} for id_ in ids))
    rig.drain()
    assert rig.client.hlen(rig.keys().patches(Kind.ITEMS, "Products", 0)) == 40
    now = rig.put(*({"id": id_, "name": "x", "data": {**long, "price": 2}} for id_ in ids))
    rig.drain()
    then = rig.put(*({"id": id_, "name": "x", "data": long} for id_ in ids))
    rig.drain()
    assert (rig.report(now), rig.report(then)) == ("n" * 40, "u" * 40)
    rig.check_laws()


def test_several_puts_of_one_round_see_each_other(rig: Rig) -> None:
    """Each is compared with the one before it, not with what was read for all of them."""
    for name in ("x", "y", "y", "x", "x"):
        rig.put({"id": "a", "name": name})
    rig.drain()
    assert [rig.report(task_id) for task_id in range(1, 6)] == ["c", "u", "n", "u", "n"]
    rig.check_laws()
