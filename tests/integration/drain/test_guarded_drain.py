"""Guards hold exactly: a task is judged by the state that its commit changes, whatever happens to its worker."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from shared.guards.guard_records import Guards
from shared.model import Kind, OnMissing, Operation
from tests.support.interposed import Killed, interposed, killed
from tests.support.rig import ACME, Rig
from workers.drain.drainer import Drained

RULES = {"floor": 1, "fields": {"data.price": {"factor": 3}}}


def guard(rig: Rig, rules: dict[str, Any] | None = None) -> None:
    Guards(rig.client, ACME).set(Kind.ITEMS, "Products", rules or RULES, who="tester", now_ms=1)


def priced(price: float, *ids: str) -> list[dict[str, Any]]:
    return [{"id": id_, "name": "N", "data": {"price": price}} for id_ in ids]


def test_rules_hold_for_every_task_that_is_accepted_after_them(rig: Rig) -> None:
    """Also while a worker is in the middle of others, and also where the rules are changed again."""
    rig.put(*priced(10, "a", "b"))

    def change() -> None:
        guard(rig)
        rig.put(*priced(100, "a", "b"))
        guard(rig, {"floor": 1, "fields": {"data.price": {"factor": 30}}})

    assert rig.drainer(open_claim=interposed(rig, before_take=change)).drain(ACME) is Drained.EMPTY
    assert rig.statuses() == {1: "DONE", 2: "DONE"}
    guard(rig)
    rig.put(*priced(1000, "a", "b"))
    rig.drain()
    Guards(rig.client, ACME).remove(Kind.ITEMS, "Products", who="tester", now_ms=2)
    rig.put(*priced(1000, "a", "b"))
    rig.drain()
    assert rig.statuses() == {1: "DONE", 2: "DONE", 3: "FAILED", 4: "DONE"}
    assert rig.task(4).planned == b""


def test_a_task_behind_one_of_several_chunks_is_judged_by_what_that_one_made(rig: Rig) -> None:
    guard(rig, {"floor": 1, "max_updated": 0.5})
    rig.put(*priced(10, "a", "b", "c"), chunk_entries=2)
    rig.put(*priced(20, "a", "b"))
    rig.put(*priced(20, "a"))
    rig.drain()
    assert rig.statuses() == {1: "DONE", 2: "FAILED", 3: "DONE"}


def test_a_share_of_nothing_breaks_no_rule(rig: Rig) -> None:
    guard(rig, {"floor": 0, "max_created": 0.3, "max_updated": 0.3})
    rig.put(*priced(10, "a", "b", "c"))
    rig.drain()
    assert rig.statuses() == {1: "DONE"}


@pytest.mark.parametrize("chunk_entries", [1, 1000])
@pytest.mark.parametrize("moment", ["before_take", "after_take", "after_begin"])
def test_a_worker_that_is_killed_leaves_no_task_half_judged(rig: Rig, moment: str, chunk_entries: int) -> None:
    """The next one judges again what has no commit yet, by the same state."""
    rig.put(*priced(10, "a", "b", "c"))
    rig.drain()
    guard(rig)
    rig.put(*priced(20, "a", "b"), chunk_entries=chunk_entries)
    rig.put(*priced(100, "a", "b"), chunk_entries=chunk_entries)
    rig.put(*priced(31, "c"), chunk_entries=chunk_entries)
    try:
        rig.drainer(open_claim=interposed(rig, **{moment: killed})).drain(ACME)
    except Killed:
        rig.expire_lease()
    rig.drain()
    assert rig.statuses() == {1: "DONE", 2: "DONE", 3: "FAILED", 4: "FAILED"}
    assert "'a': 20 → 100" in (rig.task(3).error or "")
    assert b'"updated":2' in rig.task(2).planned


def test_who_lost_the_lease_commits_nothing_that_it_judged_by_an_older_state(rig: Rig) -> None:
    """While it slept, another worker applied its task and one more, after which its task would break the rules."""
    rig.put(*priced(10, "a"))
    rig.drain()
    guard(rig)
    rig.put(*priced(20, "a"))
    rig.put(*priced(5, "a"), force=True)

    def sleep_too_long() -> None:
        rig.expire_lease()
        assert rig.drainer(holder="two").drain(ACME) is Drained.EMPTY

    assert rig.drainer(open_claim=interposed(rig, before_take=sleep_too_long)).drain(ACME) is Drained.LOST
    assert rig.statuses() == {1: "DONE", 2: "DONE", 3: "DONE"}
    assert b'"price":5' in rig.bodies()["a"].replace(b" ", b"")


def test_an_item_of_v1_is_judged_although_its_variations_go_page_by_page(rig: Rig) -> None:
    """What is deleted first is more than one commit deletes."""
    many = [{"id": f"v{i}", "item_id": "a"} for i in range(1200)]
    rig.send(Operation.CREATE, [{**priced(10, "a")[0], "variations": many}])
    rig.drain()
    guard(rig)
    rig.send(Operation.MODIFY, [{**priced(100, "a")[0], "variations": []}])
    rig.drain()
    assert rig.statuses() == {1: "DONE", 2: "FAILED"}
    rig.send(Operation.MODIFY, [{**priced(20, "a")[0], "variations": []}])
    rig.drain()
    assert rig.statuses()[3] == "DONE"
    assert b'"updated":1' in rig.task(3).planned


def test_a_guarded_patch_is_judged_by_what_it_makes_of_entries(rig: Rig) -> None:
    """Also of those whose PATCHes are kept beside them."""
    long = {"description": "long " * 100}
    ids = [f"i{number:02}" for number in range(40)]
    rig.put(*({"id": id_, "name": "N", "data": {**long, "price": 1}} for id_ in ids))
    rig.patch(*({"id": id_, "data": {"price": 10}} for id_ in ids))
    rig.drain()
    assert rig.client.hlen(rig.keys().patches(Kind.ITEMS, "Products", 0)) == 40
    guard(rig, {**RULES, "required": ["data.description"]})
    done = rig.patch(*({"id": id_, "data": {"price": 25}} for id_ in ids))
    jumped = rig.patch(*({"id": id_, "data": {"price": 1}} for id_ in ids))
    emptied = rig.patch(*({"id": id_, "data": {"description": None}} for id_ in ids))
    rig.drain()
    assert [rig.statuses()[id_] for id_ in (done, jumped, emptied)] == ["DONE", "FAILED", "FAILED"]
    assert "40 items have no data.description" in (rig.task(emptied).error or "")


def test_what_was_planned_is_what_happened(rig: Rig) -> None:
    """After any history, in one chunk or many, alone or in a round with others."""
    rng = random.Random(20)
    for kind in (Kind.ITEMS, Kind.VARIATIONS):
        Guards(rig.client, ACME).set(kind, "Products", {"fields": {"data.n": {}}}, who="tester", now_ms=1)
    sent = []
    for _ in range(120):
        kind = rng.choice([Kind.ITEMS, Kind.VARIATIONS])
        ids = rng.choices("abcdefgh", k=rng.randint(1, 6))
        how: dict[str, Any] = {"kind": kind, "chunk_entries": rng.choice([1, 2, 1000])}
        entries = [{"id": id_, "name": "N", "data": {"n": rng.choice([1, 2, "", None])}} for id_ in ids]
        match rng.choice(["put", "put", "patch", "delete"]):
            case "put":
                whole = [one | ({"item_id": "x"} if kind is Kind.VARIATIONS else {}) for one in entries]
                sent.append(rig.put(*whole, **how))
            case "patch":
                sent.append(rig.patch(*entries, on_missing=OnMissing.IGNORE, **how))
            case _:
                sent.append(rig.delete(*({"id": id_} for id_ in ids), force=True, **how))
        if rng.random() < 0.3:
            rig.drain()
    rig.drain()
    for task_id in sent:
        task = rig.task(task_id)
        planned, report = json.loads(task.planned)[task.batch.kind], rig.report(task_id)
        outcomes = {"created": "c", "updated": "u", "unchanged": "n", "deleted": "d"}
        assert {name: planned[name] for name in outcomes} == {name: report.count(one) for name, one in outcomes.items()}
    rig.check_laws()
