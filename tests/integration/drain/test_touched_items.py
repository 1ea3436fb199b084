"""Items whose variations are synced alone: they are taken over, and their update times move with the variations."""

from __future__ import annotations

import pytest

from shared.model import TERMINAL, Kind, Status
from tests.support.batches import items, variations
from tests.support.files import MULTIPART, multipart
from tests.support.ingress import Ingress
from tests.support.key_checker import check_keys
from tests.support.rig import Rig
from workers.apply.columns import FEWEST

#: Enough to be PATCHed beside; the first two lose a variation each, the last one keeps its.
IDS = [f"i{number:03}" for number in range(FEWEST)]
LOSES, PUT_SINCE, KEEPS = IDS[0], IDS[1], IDS[-1]


@pytest.fixture
def ingress(ingress: Ingress) -> Ingress:
    """Long items, PATCHed beside but for one; some have variations, and all of it is a minute ago."""
    rig = ingress.rig
    rig.put(*items(*IDS, data={"text": "long " * 100, "price": 0}))
    rig.put(*variations(LOSES, "a"), *variations(PUT_SINCE, "b"), *variations(KEEPS, "c"), kind=Kind.VARIATIONS)
    rig.patch(*({"id": entry_id, "data": {"price": 7}} for entry_id in IDS))
    rig.put(*items(PUT_SINCE))
    rig.drain()
    rig.clock.advance(60_000)
    return ingress


def stamps(rig: Rig) -> dict[str, int]:
    return {entry.id: entry.updated_ms for entry in rig.catalog().get(Kind.ITEMS, "Products", IDS)}


def upload(ingress: Ingress) -> int:
    """Send one variation as it is, and more than one chunk of new ones of one item."""
    files = {"variations": f"variation_id,item_id\nc,{KEEPS}\n" + "".join(f"n{n},{IDS[2]}\n" for n in range(1500))}
    answer = ingress.send("PUT", "/v1/catalog", multipart(files), headers=MULTIPART, force="true")
    assert answer.status_code == 200, answer.text
    return int(answer.json["task_id"])


def step(rig: Rig) -> None:
    """Take one step, as a worker that dies behind it."""
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant)[:1])
    rig.expire_lease()
    rig.client.hdel(rig.keys().position, "lost", "held")


def test_their_update_times_move_when_readers_see_the_variations(ingress: Ingress) -> None:
    """Not before, at whatever commit a worker dies; what was PATCHed of them stays, and others' times, too."""
    rig = ingress.rig
    before, bodies, task_id = stamps(rig), rig.bodies(), upload(ingress)
    seen = set()
    while rig.task(task_id).status not in TERMINAL:
        seen.add((len(rig.bodies(Kind.VARIATIONS)), stamps(rig) == before))
        step(rig)
    assert seen == {(3, True)}
    assert rig.bodies() == bodies
    moved = {entry_id for entry_id, stamp in stamps(rig).items() if stamp == rig.clock()}
    assert {LOSES, PUT_SINCE, IDS[2]} <= moved
    assert {entry_id: stamp for entry_id, stamp in stamps(rig).items() if entry_id not in moved} == {
        entry_id: before[entry_id] for entry_id in IDS if entry_id not in moved
    }
    assert KEEPS not in moved
    assert len(moved) == 3
    check_keys(rig.client)


def test_nothing_moves_if_the_sync_fails(ingress: Ingress) -> None:
    """And nothing is left of it; run again, it does what it was to do."""
    rig = ingress.rig
    before, task_id = stamps(rig), upload(ingress)
    for _ in range(3):
        step(rig)
    for _ in range(rig.settings.max_stalls):
        rig.acquire()
        rig.expire_lease()
    rig.drain()
    assert rig.task(task_id).status is Status.FAILED
    assert stamps(rig) == before
    check_keys(rig.client)
