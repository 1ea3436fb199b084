"""What an accepted batch leaves behind: its worker is woken, its memory is reserved, and its mail is looked for."""

from __future__ import annotations

import pytest

from api.services import EXTENSION
from shared import keys
from shared.model import Batch, Chunk
from shared.partition.growth import TASK_BYTES, growth_of
from tests.support.batches import items
from tests.support.ingress import OTHER, READER_TOKEN, Ingress
from tests.support.rig import ACME

BODY = {"items": items("a", "b")}


def test_its_catalog_is_rung_for_and_known_as_waiting(ingress: Ingress) -> None:
    """One ring is enough until a worker is there."""
    for _ in range(2):
        ingress.write("PUT", "/v2/items", BODY)
        assert ingress.doorbell.rung == [ACME]
    assert [one.catalog_key for one in ingress.rig.backlog.unowned()[0]] == [ACME]


def test_a_worker_wakes_up_while_the_task_is_stored(ingress: Ingress, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is rung for first while the caller's token is looked up, and by whatever else appends tasks."""
    seen: list[int] = []
    credentials = ingress.app.extensions[EXTENSION].credentials
    knows = credentials.knows

    def looking(catalog_key: str) -> bool:
        seen.append(len(ingress.doorbell.rung_ahead))
        return knows(catalog_key)

    monkeypatch.setattr(credentials, "knows", looking)
    ingress.write("PUT", "/v2/items", BODY)
    assert seen == [1]
    assert ingress.doorbell.rung_ahead == [ACME, ACME]


@pytest.mark.parametrize(
    ("method", "how"),
    [
        ("PUT", {"token": "tok-stranger"}),
        ("PUT", {"token": READER_TOKEN}),
        ("PUT", {"key": OTHER}),
        ("PUT", {"key": "nowhere"}),
        ("GET", {}),
    ],
)
def test_nobody_wakes_up_for_somebody_who_may_not_write(ingress: Ingress, method: str, how: dict[str, str]) -> None:
    ingress.send(method, "/v2/items", BODY if method == "PUT" else None, **how)
    assert ingress.doorbell.rung_ahead == []


def test_what_it_will_take_is_reserved_until_it_is_applied(ingress: Ingress, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of its entries, and of the task itself."""
    grown: list[int] = []

    def noting(batch: Batch, chunk: Chunk, *, lean: bool) -> int:
        grown.append(growth_of(batch, chunk, lean=lean))
        return grown[-1]

    monkeypatch.setattr("api.submit.submit.growth_of", noting)
    ingress.write("PUT", "/v2/items", BODY)
    assert int(ingress.rig.client.get(keys.RESERVED) or 0) == sum(grown) + TASK_BYTES
    ingress.rig.drain()
    assert int(ingress.rig.client.get(keys.RESERVED) or 0) == 0


@pytest.mark.parametrize("address", ["", "a@shop.example"])
def test_who_is_to_be_told_by_mail_is_looked_for(ingress: Ingress, address: str) -> None:
    """And nobody where nobody asked."""
    asked = {"notification_email": address} if address else {}
    ingress.write("PUT", "/v2/items", BODY, **asked)
    assert [key.decode() for key in ingress.rig.client.zrange(keys.OUTBOXES, 0, -1)] == ([ACME] if address else [])
