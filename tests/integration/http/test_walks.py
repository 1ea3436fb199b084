"""Walks through a catalogue that is written to meanwhile: what nobody touches is in each exactly once.

``WALKS=1000`` makes as many walks of each kind as that, instead of a few.
"""

from __future__ import annotations

import base64
import os
import random
from typing import Any

import pytest

from shared.model import Kind
from shared.waiting import wait_until
from tests.support.batches import items, named
from tests.support.bustle import STILL, Bustle
from tests.support.follower import Follower
from tests.support.ingress import Ingress
from tests.support.pages import Pages
from tests.support.rig import ACME, Rig
from tests.support.store_server import running_store

WALKS = int(os.environ.get("WALKS", "8"))
#: Pages of several sizes: what ends a walk too early hangs on where a page ends.
SIZES = (7, 20, 33, 100)

pytestmark = pytest.mark.timeout(max(120, WALKS * 4))


def follower(ingress: Ingress, *, page_size: int = 33) -> Follower:
    def get(path: str, **query: Any) -> tuple[Any, Any]:
        answer = ingress.send("GET", path, **query)
        return answer, answer.json

    return Follower(get, page_size=page_size)


@pytest.fixture
def bustle(rig: Rig) -> Bustle:
    bustle = Bustle(rig, seed=WALKS)
    bustle.fill()
    return bustle


def check_walk(ids: list[str]) -> None:
    """Raise unless a walk went by the ids, and had each that stood still exactly once."""
    assert ids == sorted(set(ids))
    assert sorted(set(ids).intersection(STILL)) == STILL


@pytest.mark.parametrize("kind", list(Kind))
def test_a_walk_by_cursor_is_complete(ingress: Ingress, bustle: Bustle, kind: Kind) -> None:
    """Whatever is written, deleted and replaced by files meanwhile."""
    with bustle.going_on():
        for number in range(WALKS):
            walker = follower(ingress, page_size=SIZES[number % len(SIZES)])
            check_walk([entry["id"] for entry in walker.walk(kind.value)])


def test_a_walk_through_the_variations_of_an_item_is_complete(ingress: Ingress, bustle: Bustle) -> None:
    """And through entries that are named one by one."""
    with bustle.going_on():
        for number in range(WALKS):
            size = SIZES[number % len(SIZES)]
            check_walk(walk(ingress, "variations", item_id=[STILL[0], "none"], num_results_per_page=size))
            check_walk(walk(ingress, "items", id=STILL, num_results_per_page=size))


def walk(ingress: Ingress, kind: str, **query: Any) -> list[str]:
    """Read a list page by page, by cursor."""
    found: list[str] = []
    page = ingress.get(f"/v2/{kind}", **query)
    while True:
        found += [entry["id"] for entry in page[kind]]
        if "next_page_cursor" not in page:
            return found
        page = ingress.get(f"/v2/{kind}", next_page_cursor=page["next_page_cursor"], **query)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_page_by_offset_is_of_one_moment(ingress: Ingress, bustle: Bustle, kind: Kind) -> None:
    """As long as it was asked for, as long as there is more, and with the count of that moment."""
    with bustle.going_on():
        for number in range(WALKS):
            size, offset = SIZES[number % len(SIZES)], number * 7 % 90
            page = ingress.get(f"/v2/{kind}", offset=offset, num_results_per_page=size)
            assert len(page[kind]) == min(size, max(0, page["total_count"] - offset))


def test_a_walk_on_the_integration_page_is_complete(ingress: Ingress, bustle: Bustle) -> None:
    pages = Pages(ingress)
    pages.sign_in()
    with bustle.going_on():
        for _ in range(max(2, WALKS // 4)):
            found: list[str] = []
            link: str | None = f"/integration/c/{ACME}/catalog"
            while link:
                page = pages.page(link.removeprefix("/integration"))
                entries = [one["href"] for one in page.all("a") if "/catalog/entry?" in one.get("href", "")]
                found += [href.partition("id=")[2].partition("&")[0] for href in entries]
                link = next((one["href"] for one in page.all("a") if one.get("rel") == "next"), None)
            check_walk(found)


def test_whoever_walks_and_follows_has_the_catalogue(ingress: Ingress, bustle: Bustle) -> None:
    """From the position that came with the first page, in pages of any size, while everything goes on."""
    with bustle.going_on():
        for number in range(max(2, WALKS // 8)):
            copy, there = follower(ingress, page_size=SIZES[number % len(SIZES)]), follower(ingress)
            copy.read_all()
            for _ in range(3):
                copy.follow()
            with bustle.standing_still():
                copy.follow()
                there.read_all()
            assert copy.entries == there.entries
            assert copy.walks == 1


def test_whoever_walks_and_follows_has_the_catalogue_of_a_store_that_was_killed() -> None:
    """In the midst of a walk or behind it: where the store may have lost something, everything is read again."""
    rnd = random.Random(WALKS)
    with running_store() as server, server.connect() as connected:
        bustle = Bustle(Rig(connected), seed=WALKS)
        bustle.fill()
        ingress = Ingress(bustle.rig, server.url)
        with bustle.going_on():
            for number in range(max(3, WALKS // 8)):
                calls_left = rnd.randrange(1, 40)

                def get(path: str, **query: Any) -> tuple[Any, Any]:
                    nonlocal calls_left
                    calls_left -= 1
                    if calls_left == 0:
                        server.kill()
                        server.start()
                    answer = wait_until(lambda: answered(path, **query), "the store answers", timeout_s=20)
                    return answer, answer.json

                def answered(path: str, **query: Any) -> Any:
                    answer = ingress.send("GET", path, **query)
                    return None if answer.status_code == 503 else answer

                copy = Follower(get, SIZES[number % len(SIZES)], may_have_lost=True)
                copy.read_all()
                while calls_left > 0:
                    copy.follow()
                with bustle.standing_still():
                    bustle.apply_what_waits()
                    copy.follow()
                    there = follower(ingress)
                    there.read_all()
                assert copy.entries == there.entries


# -- cursors ----------------------------------------------------------------------------------------------------------

LONG = "\U0001f6d2" * 249


@pytest.mark.parametrize(
    "ids",
    [
        [LONG + chr(0x1F600 + number) for number in range(5)],
        ["\U0010ffff" * 250, "\U0010ffff" * 249, "\x00", "\x00\x00", " ", "  ", "/", "~", "+&=%"],
        ["a", "a\x00", "a\x00\x00", "a!", "aa"],
        ["é", "e\u0301", "\uffff", "\ud7ff", "z" * 250],
    ],
)
def test_a_cursor_of_ours_is_never_refused(ingress: Ingress, rig: Rig, ids: list[str]) -> None:
    """Whatever the ids are made of, and however long they are."""
    rig.put(*items(*ids))
    rig.drain()
    assert walk(ingress, "items", num_results_per_page=1) == sorted(ids, key=str.encode)
    pages = Pages(ingress)
    pages.sign_in()
    assert pages.page(f"/c/{ACME}/catalog")


def test_a_cursor_is_short(ingress: Ingress, rig: Rig) -> None:
    """As long as it takes to tell two neighbours apart, however long their ids are."""
    rig.put(*items(*(chr(0x10000 + number) + LONG for number in range(3))))
    rig.drain()
    assert len(ingress.get("/v2/items", num_results_per_page=1)["next_page_cursor"]) < 10


def test_a_cursor_of_before_is_still_understood(ingress: Ingress, rig: Rig) -> None:
    """It was the last id of its page, and that may have gone."""
    rig.put(*items("a", "b", "c"))
    rig.delete(*named("b"))
    rig.drain()
    cursor = base64.urlsafe_b64encode(b"b").rstrip(b"=").decode()
    page = ingress.get("/v2/items", next_page_cursor=cursor)
    assert ([entry["id"] for entry in page["items"]], page.keys()) == (["c"], {"items"})


@pytest.mark.parametrize("cursor", ["", "~", "~!", "é", "a", "_w", "~a"])
def test_what_is_no_cursor_is_refused(ingress: Ingress, cursor: str) -> None:
    answer = ingress.send("GET", "/v2/items", next_page_cursor=cursor)
    assert (answer.status_code, answer.json["message"]) == (400, "next_page_cursor: value is not a cursor of ours")


def test_pages_by_cursor_only_where_nothing_else_was_asked_for(ingress: Ingress, rig: Rig) -> None:
    rig.put(*items("a", "b", "c"))
    rig.drain()
    assert "next_page_cursor" not in ingress.get("/v2/items", num_results_per_page=1, offset=0)
    assert "next_page_cursor" not in ingress.get("/v2/items", num_results_per_page=3)
    answer = ingress.send("GET", "/v2/items", next_page_cursor="YQ", page=1)
    assert answer.status_code == 400
