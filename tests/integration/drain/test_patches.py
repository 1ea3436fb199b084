"""Patches stored beside items: readers see them merged, and they go when the items are written anew."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from shared.model import Kind, OnMissing
from shared.store import scripts
from tests.support.batches import Entry, items, named
from tests.support.files import MULTIPART, multipart
from tests.support.ingress import Ingress
from tests.support.key_checker import check_keys
from tests.support.rig import ACME, Rig
from workers.apply.columns import FEWEST
from workers.drain.drainer import Drained

#: Enough to be merged at once; each many times longer than what is sent for it.
IDS = [f"i{number:03}" for number in range(FEWEST)]
LONG: list[Entry] = items(*IDS, data={"text": "long " * 100, "price": 0, "old": 1})


def changes(**data: Any) -> list[Entry]:
    return [{"id": entry_id, "data": data} for entry_id in IDS]


def patched(rig: Rig) -> dict[str, Any]:
    """What is kept beside the items, without the moment."""
    kept = rig.client.hgetall(rig.keys().patches(Kind.ITEMS, "Products", 0))
    return {entry_id.decode(): json.loads(value[13:]) for entry_id, value in kept.items()}


def data_of(rig: Rig, entry_id: str = IDS[0]) -> Any:
    return json.loads(rig.bodies()[entry_id])["data"]


@pytest.fixture
def filled(rig: Rig) -> Rig:
    """Long items whose price was changed a minute later."""
    rig.put(*LONG)
    rig.drain()
    rig.clock.advance(60_000)
    rig.patch(*changes(price=7))
    rig.drain()
    assert patched(rig) == {entry_id: {"id": entry_id, "data": {"price": 7}} for entry_id in IDS}
    return rig


def test_readers_see_it_in_the_items(filled: Rig) -> None:
    """By id and in pages, with the later of both times."""
    catalog = filled.catalog()
    page = catalog.page(Kind.ITEMS, "Products", offset=0, size=1000)
    assert [entry.id for entry in page.entries] == IDS
    assert page.total == len(IDS)
    assert catalog.get(Kind.ITEMS, "Products", IDS) == page.entries
    for entry in page.entries:
        assert json.loads(entry.body)["data"] == {"text": "long " * 100, "price": 7, "old": 1}
        assert entry.updated_ms == filled.clock()
    filled.check_laws()
    check_keys(filled.client)


def test_the_same_fields_again_change_only_what_is_beside(filled: Rig) -> None:
    """Those in which nothing changes are told apart, as ever."""
    entries = filled.keys().entries(Kind.ITEMS, "Products", 0)
    before = filled.client.dump(entries)
    task_id = filled.patch(*changes(price=7)[:1], *changes(price=8)[1:])
    filled.drain()
    assert filled.report(task_id) == "n" + "u" * (len(IDS) - 1)
    assert [kept["data"]["price"] for kept in patched(filled).values()].count(8) == len(IDS) - 1
    assert filled.client.dump(entries) == before
    filled.check_laws()


def test_other_fields_join_what_is_beside(filled: Rig) -> None:
    """A null removes, also what the item had: whatever order they come in, in one go or one after the other."""
    filled.patch(*changes(old=None))
    filled.patch(*changes(price=9))
    filled.patch(*changes(price=10, old=2))
    filled.patch(*changes(old=None, new="x"))
    filled.drain()
    assert patched(filled)[IDS[0]]["data"] == {"price": 10, "old": None, "new": "x"}
    assert data_of(filled) == {"text": "long " * 100, "price": 10, "new": "x"}
    filled.check_laws()


def test_some_may_have_nothing_beside_them(rig: Rig) -> None:
    """Those that are short, those that did not change, those that came later: they are looked at whole, each time."""
    rig.put(*LONG)
    rig.put(*items(IDS[3], data={"price": 1}))
    rig.put(*items(IDS[5], IDS[6], data={"text": "long " * 100, "price": 7}))
    first = rig.patch(*changes(price=7))
    rig.drain()
    assert rig.report(first) == "uuuuunn" + "u" * (len(IDS) - 7)
    assert set(patched(rig)) == set(IDS) - {IDS[3], IDS[5], IDS[6]}
    rig.put(*LONG[8:10])
    second = rig.patch(*changes(price=7)[:20], *changes(price=8)[20:])
    rig.drain()
    assert rig.report(second) == "n" * 8 + "uu" + "n" * 10 + "u" * (len(IDS) - 20)
    third = rig.patch(*changes(price=9))
    rig.drain()
    assert rig.report(third) == "u" * len(IDS)
    assert set(patched(rig)) == set(IDS) - {IDS[3]}
    fourth = rig.patch(*changes(price=9)[:30], *named("missing"), *changes(price=10)[30:], on_missing=OnMissing.IGNORE)
    rig.drain()
    assert rig.report(fourth) == "n" * 30 + "i" + "u" * (len(IDS) - 30)
    rig.check_laws()
    check_keys(rig.client)


def test_the_drain_goes_on_where_more_has_to_be_looked_at(filled: Rig) -> None:
    """In the same slice: tasks that send other fields in turns do not make it ring for itself."""
    for number in range(3):
        filled.patch(*changes(price=number))
        filled.patch(*changes(**{f"field-{number}": 1}))
    assert filled.drainer().drain(ACME) is Drained.EMPTY
    filled.check_laws()


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"data": {"price": 1}}, id="one item"),
        pytest.param({"data": {"price": 1, "text": "x" * 2000}}, id="not much shorter"),
        pytest.param({"data": {"list:add": [1]}}, id="an edited list"),
    ],
)
def test_a_patch_of_another_kind_is_written_into_the_items(filled: Rig, entry: dict[str, Any]) -> None:
    """With what was kept beside them."""
    ids = IDS[:1] if entry["data"] == {"price": 1} else IDS
    filled.patch(*({"id": entry_id, **entry} for entry_id in ids))
    filled.drain()
    assert set(patched(filled)) == set(IDS) - set(ids)
    filled.patch(*changes(price=3))
    filled.drain()
    filled.check_laws()
    check_keys(filled.client)


def test_what_is_written_anew_or_deleted_has_nothing_beside_it(filled: Rig) -> None:
    filled.put(*LONG[:2])
    filled.delete(*named(*IDS[2:4]), force=True)
    filled.drain()
    assert set(patched(filled)) == set(IDS[4:])
    filled.put(*LONG[2:4])
    filled.patch(*changes(price=5), on_missing=OnMissing.CREATE, chunk_entries=3)
    filled.drain()
    filled.check_laws()
    check_keys(filled.client)


def test_a_failed_patch_leaves_it_as_it_is(filled: Rig) -> None:
    """One of an item that is not there, among many that are."""
    before = patched(filled)
    task_id = filled.patch(*changes(price=8), *named("missing"))
    filled.drain()
    assert filled.statuses()[task_id] == "FAILED"
    assert patched(filled) == before
    filled.check_laws()


def test_many_patches_in_a_row_are_one_after_the_other(filled: Rig) -> None:
    """Some can go by what is beside the items, some in between cannot; all of them wait in one partition."""
    for number in range(12):
        filled.patch(*changes(**({"price": number} if number % 5 else {"other": number})))
        if number % 4 == 1:
            filled.put(*LONG[number : number + 2])
    filled.drain()
    filled.check_laws()
    check_keys(filled.client)


def test_a_sync_of_ids_keeps_items_as_readers_see_them(ingress: Ingress) -> None:
    """With their times; a sync of items leaves nothing of it; one of variations alone leaves it where it is."""
    rig = ingress.rig
    rig.put(*LONG)
    rig.clock.advance(60_000)
    rig.patch(*changes(price=7))
    rig.drain()
    before = rig.bodies()
    rig.clock.advance(60_000)

    def sync(files: dict[str, str], **query: str) -> None:
        answer = ingress.send("PUT", "/v1/catalog", multipart(files), headers=MULTIPART, **query)
        assert answer.status_code == 200, answer.text
        rig.drain()

    sync({"variations": f"variation_id,item_id\nv,{IDS[0]}\n"})
    generation = int(rig.client.hget(rig.keys().sections, "Products"))
    assert rig.client.hlen(rig.keys().patches(Kind.ITEMS, "Products", generation)) == len(IDS)
    assert rig.bodies() == before
    stamps = [entry.updated_ms for entry in rig.catalog().get(Kind.ITEMS, "Products", IDS)]
    # The first one has got a variation.
    assert stamps == [rig.clock(), *[rig.clock() - 60_000] * (len(IDS) - 1)]

    sync({"items": "\n".join(["id", *IDS]) + "\n"}, mode="ids")
    assert rig.bodies() == before
    assert [entry.updated_ms for entry in rig.catalog().get(Kind.ITEMS, "Products", IDS)] == stamps
    assert not list(rig.client.scan_iter(match="*patches*"))

    rig.patch(*changes(price=8))
    rig.drain()
    assert len(list(rig.client.scan_iter(match="*patches*"))) == 1
    sync({"items": "id,item_name\n" + "".join(f"{entry_id},New\n" for entry_id in IDS)})
    assert not list(rig.client.scan_iter(match="*patches*"))
    assert json.loads(rig.bodies()[IDS[0]]) == {"id": IDS[0], "name": "New"}
    check_keys(rig.client)


def test_an_item_written_anew_between_two_reads_is_not_seen_half_old(
    filled: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader sees what was kept beside an item in that very item only."""
    connection = filled.client.connection_pool.make_connection()
    meanwhile = [items(*IDS, data={"price": 100})]

    def one_by_one(store: redis.Redis, *commands: scripts.Command) -> list[Any]:
        """Send commands as others may find them: with time for a commit behind each."""
        replies = []
        for command in commands:
            connection.send_command(*command)
            replies.append(connection.read_response())
            if meanwhile:
                monkeypatch.undo()
                filled.put(*meanwhile.pop())
                filled.drain()
        return replies

    monkeypatch.setattr(scripts, "run", one_by_one)
    [entry] = filled.catalog().get(Kind.ITEMS, "Products", IDS[:1])
    assert not meanwhile
    assert json.loads(entry.body)["data"] in ({"text": "long " * 100, "price": 7, "old": 1}, {"price": 100})
