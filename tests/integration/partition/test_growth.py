"""What is reserved for a batch is as much as it then takes, and not much more."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from shared.keys import RESERVED
from shared.model import Kind, OnMissing, Operation
from shared.partition.growth import TASK_BYTES
from shared.partition.steps import Commit
from tests.support.batches import Entry, items, named, variations
from tests.support.ingress import Ingress
from tests.support.rig import Rig

#: So many times what is taken may be reserved, besides so many bytes an entry.
AT_MOST, AN_ENTRY = 1.2, 150
ENTRIES = 3000


def used(rig: Rig) -> int:
    """The memory that all keys take, without the buffers and tables of the server, which come and go."""
    return sum(int(rig.client.memory_usage(key, samples=0) or 0) for key in rig.client.scan_iter(count=1000))


def reserved(rig: Rig) -> int:
    return int(rig.client.get(RESERVED) or 0)


def word(draw: random.Random, length: int) -> str:
    return "".join(draw.choices(string.ascii_lowercase, k=length))


def long_items(length: int) -> list[Entry]:
    draw = random.Random(length)
    return items(*map(str, range(ENTRIES)), data={"text": word(draw, length)})


def send(rig: Rig, operation: Operation, entries: Sequence[Entry], **how: Any) -> None:
    rig.send(operation, entries, excused=True, **how)


put = partial(send, operation=Operation.PUT)

#: Some batches; before it, what is there already.
BATCHES: dict[str, tuple[Sequence[Entry], Callable[[Rig], None]]] = {
    "tiny items": ([], lambda rig: put(rig, entries=items(*map(str, range(ENTRIES))))),
    "items of 513 bytes": ([], lambda rig: put(rig, entries=long_items(450))),
    "items of 5,000 bytes": ([], lambda rig: put(rig, entries=long_items(5000))),
    "long ids": ([], lambda rig: put(rig, entries=items(*(f"{number:0250}" for number in range(ENTRIES))))),
    "ids that are not ASCII": ([], lambda rig: put(rig, entries=items(*("貓" * 60 + str(n) for n in range(ENTRIES))))),
    "variations": (
        items(*map(str, range(ENTRIES))),
        lambda rig: put(
            rig,
            entries=[entry for n in range(ENTRIES) for entry in variations(str(n), f"v{n}")],
            kind=Kind.VARIATIONS,
        ),
    ),
    "item groups": ([], lambda rig: put(rig, entries=items(*map(str, range(ENTRIES))), kind=Kind.ITEM_GROUPS)),
    "patches kept beside": (
        long_items(600),
        lambda rig: send(rig, Operation.PATCH, [{"id": str(n), "data": {"price": n}} for n in range(ENTRIES)]),
    ),
    "patches that create": (
        [],
        lambda rig: send(rig, Operation.PATCH, items(*map(str, range(ENTRIES))), on_missing=OnMissing.CREATE),
    ),
}


@pytest.mark.parametrize("name", BATCHES)
def test_it_is_enough_and_not_too_much(name: str, rig: Rig) -> None:
    before, submit = BATCHES[name]
    if before:
        put(rig, entries=before)
        rig.drain()
    submit(rig)
    growth, waiting = reserved(rig), used(rig)
    rig.drain()
    taken = used(rig) - waiting
    assert reserved(rig) == 0
    assert taken <= growth
    assert growth <= taken * AT_MOST + ENTRIES * AN_ENTRY


def test_a_delete_takes_next_to_nothing(rig: Rig) -> None:
    """Its outcomes."""
    put(rig, entries=long_items(100))
    rig.drain()
    send(rig, Operation.DELETE, named(*map(str, range(ENTRIES))), force=True)
    growth, waiting = reserved(rig), used(rig)
    rig.drain()
    assert used(rig) < waiting
    assert growth == TASK_BYTES + ENTRIES
    assert reserved(rig) == 0


@pytest.mark.parametrize("entry_id", ["x" * 250, "\x7f" * 250, "貓" * 80], ids=["long", "unprintable", "not ASCII"])
def test_a_delete_that_is_warned_of_has_room_for_its_warnings(rig: Rig, ingress: Ingress, entry_id: str) -> None:
    """Each entry but the last is: they have one id, and compress to next to nothing."""
    ingress.send("DELETE", "/v2/items", {"items": named(*[entry_id] * ENTRIES)})
    growth, waiting = reserved(rig), used(rig)
    rig.drain()
    assert ENTRIES / 1000 * 100 * len(entry_id) < used(rig) - waiting <= growth


def test_a_task_gets_no_warnings_without_end(rig: Rig, ingress: Ingress) -> None:
    """They are read with each list of tasks."""
    ingress.send("DELETE", "/v2/items", {"items": named(*["x" * 250] * 10_000)})
    ingress.send("DELETE", "/v2/items", {"items": named(*["\x7f" * 250] * 10_000)})
    rig.drain()
    few, many = (len(rig.client.hget(rig.keys().task(task_id), "warnings") or b"") for task_id in (1, 2))
    assert few == pytest.approx(1000 * 700, rel=0.2)
    assert 10**6 < many < 10**6 + 200_000


def test_items_of_v1_bring_variations(rig: Rig, ingress: Ingress) -> None:
    """Each of which takes as much as one that is sent by itself."""
    whole = [
        {
            "id": f"i{n}",
            "item_name": "Shoe",
            "variations": [{"id": f"{n}-{size}", "item_name": "Size"} for size in range(10)],
        }
        for n in range(90)
    ]
    ingress.send("POST", "/v1/batch_items", {"section": "Products", "items": whole}, wait=0)
    growth, waiting = reserved(rig), used(rig)
    rig.drain()
    assert rig.bodies(Kind.VARIATIONS)
    assert 0 < used(rig) - waiting <= growth


def upload(ingress: Ingress, rows: Sequence[Any], name: str = "items", **query: Any) -> None:
    body = b"\r\n".join(
        [
            b"--b",
            f'Content-Disposition: form-data; name="{name}"; filename="{name}.jsonl"'.encode(),
            b"",
            b"\n".join(json.dumps(row).encode() for row in rows),
            b"--b--",
            b"",
        ]
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    ingress.write("PUT", "/v1/catalog", body, headers=headers, format="jsonl", **query)


def test_a_sync_needs_room_beside_what_is_there(rig: Rig, ingress: Ingress) -> None:
    """What it has built is used and no longer reserved; what is left is enough for the rest, and goes with its end."""
    put(rig, entries=long_items(500))
    rig.drain()
    upload(ingress, long_items(500))
    growth = reserved(rig)
    assert growth > ENTRIES * 500
    steps = rig.plan(grant := rig.acquire())
    grant.lease.take(grant.applied, steps[:2], now_ms=rig.clock(), wants_more=False)
    left, built = reserved(rig), used(rig)
    assert left < growth * 0.6
    grant.lease.take(steps[1].name, steps[2:3], now_ms=rig.clock(), wants_more=False)
    assert built < used(rig) <= built + left
    rig.expire_lease()
    rig.drain()
    assert reserved(rig) == 0


def test_what_is_kept_by_its_id_needs_room_once_more(rig: Rig, ingress: Ingress) -> None:
    """With the variations that items take along, which the file does not name."""
    put(rig, entries=long_items(2000))
    sizes = [entry for n in range(ENTRIES) for entry in variations(str(n), f"v{n}", data={"text": "x" * 500})]
    put(rig, entries=sizes, kind=Kind.VARIATIONS)
    rig.drain()
    upload(ingress, [{"id": str(number)} for number in range(ENTRIES)], mode="ids")
    growth, waiting = reserved(rig), used(rig)
    steps = rig.plan(grant := rig.acquire())
    grant.lease.take(grant.applied, steps, now_ms=rig.clock(), wants_more=False)
    assert ENTRIES * 2000 < used(rig) - waiting < growth
    rig.expire_lease()
    rig.drain()
    assert len(rig.bodies(Kind.VARIATIONS)) == ENTRIES
    assert reserved(rig) == 0


def flipped_at_its_last_step(rig: Rig) -> int:
    """Take all steps of the head but the flip; returns the memory that they took."""
    waiting = used(rig)
    grant = rig.acquire()
    applied = grant.applied
    while True:
        steps = rig.plan(grant)
        if any(isinstance(step, Commit) and step.effects.flips for step in steps):
            break
        grant.lease.take(applied, steps, now_ms=rig.clock(), wants_more=False)
        applied = steps[-1].name
        rig.expire_lease()
        grant = rig.acquire()
    taken = used(rig) - waiting
    rig.expire_lease()
    rig.drain()
    assert reserved(rig) == 0
    return taken


def test_a_sync_has_room_to_tell_of_all_that_it_leaves_out(rig: Rig, ingress: Ingress) -> None:
    """Long ids that hardly compress are noted for followers while the old catalogue is still there."""
    draw = random.Random(1)
    put(rig, entries=items(*(word(draw, 250) for _ in range(ENTRIES))))
    rig.drain()
    upload(ingress, items("one"), force=1)
    growth = reserved(rig)
    assert ENTRIES * 100 < flipped_at_its_last_step(rig) <= growth


def test_a_sync_has_room_to_touch_all_items(rig: Rig, ingress: Ingress) -> None:
    """They lose their variations, and were written since they got them."""
    put(rig, entries=[entry for n in range(ENTRIES) for entry in variations(str(n), f"v{n}")], kind=Kind.VARIATIONS)
    put(rig, entries=items(*map(str, range(ENTRIES))))
    rig.drain()
    upload(ingress, variations("0", "v"), name="variations", force=1)
    growth = reserved(rig)
    assert ENTRIES * 50 < flipped_at_its_last_step(rig) <= growth


def test_a_sync_of_variations_has_room_for_what_was_patched_of_their_items(rig: Rig, ingress: Ingress) -> None:
    """It is written once more, beside them, until it takes its place."""
    put(rig, entries=long_items(2000))
    send(rig, Operation.PATCH, [{"id": str(n), "data": {"more": "m" * 200}} for n in range(ENTRIES)])
    rig.drain()
    upload(ingress, variations("0", "v"), name="variations", force=1)
    growth = reserved(rig)
    assert ENTRIES * 200 < flipped_at_its_last_step(rig) <= growth


def test_what_is_kept_may_still_wait(rig: Rig, ingress: Ingress) -> None:
    """There is nothing yet of what will be copied."""
    put(rig, entries=long_items(2000))
    before = reserved(rig)
    upload(ingress, [{"id": str(number)} for number in range(ENTRIES)], mode="ids", force=1)
    growth = reserved(rig) - before
    steps = rig.plan(grant := rig.acquire())
    grant.lease.take(grant.applied, steps, now_ms=rig.clock(), wants_more=False)
    rig.expire_lease()
    assert ENTRIES * 2000 < flipped_at_its_last_step(rig) <= growth


def test_long_entries_are_kept_a_few_at_a_time(rig: Rig, ingress: Ingress) -> None:
    """What a commit copies is on its way beside all that is there."""
    put(rig, entries=items(*map(str, range(100)), data={"text": "x" * 150_000}))
    rig.drain()
    upload(ingress, [{"id": str(number)} for number in range(100)], mode="ids")
    steps = rig.plan(rig.acquire())
    copied = [len(step.effects.kept.ids) for step in steps if isinstance(step, Commit)]
    assert copied
    assert max(copied) * 150_000 < 5_000_000
    rig.expire_lease()
    rig.drain()
    assert len(rig.bodies()) == 100


def test_what_is_kept_again_may_be_more_by_now(rig: Rig, ingress: Ingress) -> None:
    """A re-run reserves for what is there when it is asked for."""
    upload(ingress, [{"id": str(number)} for number in range(ENTRIES)], mode="ids", force=1)
    rig.drain()
    put(rig, entries=long_items(2000))
    rig.drain()
    ingress.send("PATCH", "/v1/tasks/1", {"status": "QUEUED"})
    growth = reserved(rig)
    assert ENTRIES * 2000 < flipped_at_its_last_step(rig) <= growth


def test_a_task_by_itself_has_room_for_what_it_leaves(rig: Rig, ingress: Ingress) -> None:
    """Its end in the indexes, its report, what a guard says of it, and that webhooks are to be told."""
    assert ingress.send("POST", "/v1/webhooks", {"url": "https://shop.example/hook"}).status_code == 200
    assert ingress.send("PUT", "/v1/guards/items", {"max_deleted": 0.9}).status_code == 200
    for number in range(100):
        ingress.send("DELETE", "/v2/items", {"items": named(str(number))})
    growth, waiting = reserved(rig), used(rig)
    rig.drain()
    assert 0 < used(rig) - waiting <= growth
