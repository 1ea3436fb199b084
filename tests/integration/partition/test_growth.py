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


def test_a_delete_takes_nothing(rig: Rig) -> None:
    put(rig, entries=long_items(100))
    rig.drain()
    send(rig, Operation.DELETE, named(*map(str, range(ENTRIES))), force=True)
    growth, waiting = reserved(rig), used(rig)
    rig.drain()
    assert used(rig) < waiting
    assert growth == TASK_BYTES
    assert reserved(rig) == 0


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


def upload(ingress: Ingress, rows: list[Any], **query: Any) -> None:
    body = b"\r\n".join(
        [
            b"--b",
            b'Content-Disposition: form-data; name="items"; filename="items.jsonl"',
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
