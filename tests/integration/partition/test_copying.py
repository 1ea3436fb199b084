"""A catalog taken to another store is the same there, and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis

from shared.admin import copying
from shared.admin.copying import AlreadyThere, NotAtRest, copy_catalog, delete_catalog
from shared.keys import CatalogKeys
from shared.model import Kind
from shared.outbox.webhooks import Webhooks
from tests.support.batches import items, variations
from tests.support.key_checker import check_keys
from tests.support.rig import ACME, Rig
from tests.support.store_server import running_store


@pytest.fixture(scope="module")
def other_server() -> Iterator[redis.Redis]:
    with running_store() as server:
        yield server.connect()  # type: ignore[misc]


@pytest.fixture
def there(rig: Rig, other_server: redis.Redis) -> Iterator[Rig]:
    """The same rig over another store, with the same journal of what was accepted."""
    other_server.flushall()
    yield replace(rig, client=other_server)
    check_keys(other_server)


@pytest.fixture
def filled(rig: Rig) -> Rig:
    """A catalog with everything in it, at rest."""
    rig.put(*items("a", "b", "c", data={"price": 19.90}))
    rig.put(*variations("a", "a1", "a2"), kind=Kind.VARIATIONS)
    rig.put({"id": "g", "name": "G"}, kind=Kind.ITEM_GROUPS)
    rig.patch({"id": "b", "data": {"price": None}})
    rig.patch({"id": "nowhere", "data": {}})
    rig.drain()
    Webhooks(rig.client, ACME).add("https://example.com/told", private=True, now_ms=rig.clock())
    return rig


def test_entries_tasks_and_what_was_sent_are_the_same_and_it_goes_on_from_there(
    filled: Rig, there: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "BIG", 1)
    monkeypatch.setattr(copying, "PAGE", 2)
    assert copy_catalog(filled.client, there.client, ACME, now_ms=filled.clock()) > 20
    there._ticks = filled._ticks
    there.check_laws()
    assert there.statuses() == filled.statuses()
    assert there.bodies(Kind.VARIATIONS) == filled.bodies(Kind.VARIATIONS)
    of = CatalogKeys(ACME)
    for key in (of.payload(1), of.report(1), of.webhooks, of.position, of.history):
        assert there.client.dump(key) == filled.client.dump(key), key

    last = max(batch.task_id for batch in there.accepted[ACME])
    assert there.put(*items("d")) > last
    there.drain()
    there.check_laws()
    assert ACME in there.backlog.known(skip=0)


def test_what_is_not_at_rest_or_there_already_is_not_copied(filled: Rig, there: Rig) -> None:
    copy_catalog(filled.client, there.client, ACME, now_ms=1)
    with pytest.raises(AlreadyThere):
        copy_catalog(filled.client, there.client, ACME, now_ms=1)
    delete_catalog(there.client, ACME)
    filled.put(*items("late"))
    with pytest.raises(NotAtRest, match="batches wait, 1 of them"):
        copy_catalog(filled.client, there.client, ACME, now_ms=1)
    with pytest.raises(NotAtRest):
        delete_catalog(filled.client, ACME)
    assert there.dump() == {}


def test_batches_that_come_in_meanwhile_are_noticed(filled: Rig, there: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that lacks them must not be taken for the catalog."""
    copy = copying._copy

    def slow(*args: object) -> None:
        copy(*args)  # type: ignore[arg-type]
        if filled.task(1).retry_of is None and len(filled.accepted[ACME]) < 6:
            filled.put(*items("late"))
            filled.drain()

    monkeypatch.setattr(copying, "_copy", slow)
    with pytest.raises(NotAtRest, match="came in"):
        copy_catalog(filled.client, there.client, ACME, now_ms=1)
    assert there.dump() == {}


def test_a_deleted_catalog_leaves_nothing(filled: Rig) -> None:
    filled.put(*items("other"), catalog_key="other")
    filled.drain("other")
    delete_catalog(filled.client, ACME)
    assert [key for key in filled.dump() if b"{acme}" in key] == []
    assert filled.backlog.known(skip=0) == ["other"]
    filled.check_laws("other")
