"""Refused writes are noted with who sent them and why, within bounds."""

from __future__ import annotations

from typing import Any

import pytest

from api.http import refused_writes
from shared.telemetry.refused_writes import RefusedWrite, RefusedWrites
from tests.support.ingress import OTHER, READER_TOKEN, Ingress
from tests.support.pages import Pages
from tests.support.rig import ACME, Rig

ITEMS = "/v2/items"
BAD: dict[str, Any] = {"items": [{"id": "a"}]}


def noted(rig: Rig, catalog_key: str = ACME) -> list[RefusedWrite]:
    return RefusedWrites(rig.client, catalog_key).last()


def test_it_is_noted_who_sent_what_and_why_it_was_refused(rig: Rig, ingress: Ingress) -> None:
    """The last one first; reads and what was accepted are not noted."""
    ingress.send("PUT", ITEMS, BAD, c="PIM 3.1", headers={"X-Request-Id": "r-1"})
    rig.clock.advance(1000)
    ingress.send("DELETE", ITEMS, BAD, token=READER_TOKEN)
    ingress.send("PUT", "/v1/item_groups/a%2Fb", BAD, token="unknown")
    ingress.send("GET", "/v2/items/none")
    ingress.send("PUT", ITEMS, {"items": [{"id": "a", "name": "A"}]})
    found = noted(rig)
    assert [(write.status, write.method, write.path, write.token_name[:9]) for write in found] == [
        (401, "PUT", "/v1/item_groups/a/b", ""), (403, "DELETE", ITEMS, "settings-"), (400, "PUT", ITEMS, "settings-"),
    ]  # fmt: skip
    assert found[0].message.startswith("Invalid auth_token.")
    first = found[-1]
    assert (first.message, first.client, first.address) == ("items[0].name: field required", "PIM 3.1", "127.0.0.1")
    assert (first.request_id, first.at_ms) == ("r-1", rig.clock() - 1000)


def test_each_catalog_has_its_own_and_unknown_ones_have_none(rig: Rig, ingress: Ingress) -> None:
    ingress.send("PUT", ITEMS, BAD, key=OTHER)
    ingress.send("PUT", ITEMS, BAD, key="nobody")
    ingress.send("PUT", ITEMS, BAD, key="no key at all")
    assert [write.status for write in noted(rig, OTHER)] == [403]
    assert noted(rig, ACME) == noted(rig, "nobody") == []


def test_of_many_some_are_noted_and_the_others_counted(
    rig: Rig, ingress: Ingress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refused_writes, "MOST_OF_CATALOG", 3)
    for _ in range(5):
        ingress.send("PUT", ITEMS, BAD)
    assert [write.left_out for write in noted(rig)] == [0, 0, 0]
    rig.clock.advance(60_000)
    ingress.send("PUT", ITEMS, BAD)
    assert [write.left_out for write in noted(rig)] == [2, 0, 0, 0]


def test_the_list_and_each_text_are_bounded(rig: Rig) -> None:
    writes = RefusedWrites(rig.client, ACME)
    for number in range(210):
        writes.add(RefusedWrite(number, 400, "PUT", "/" * 999, "m" * 9999, "t", "c" * 999, "a", "r" * 999))
    found = writes.last()
    assert (len(found), found[0].at_ms, writes.count()) == (200, 209, 200)
    assert [len(text) for text in (found[0].path, found[0].message, found[0].client)] == [200, 500, 200]


def test_a_full_store_refuses_all_the_same(rig: Rig, ingress: Ingress) -> None:
    """What cannot be noted is not, and the answer is what it was."""
    rig.client.config_set("maxmemory", 1)
    assert ingress.send("PUT", ITEMS, BAD).status_code == 400
    assert noted(rig) == []


def test_the_page_shows_them(rig: Rig, ingress: Ingress) -> None:
    pages = Pages(ingress)
    pages.sign_in(READER_TOKEN)
    assert "Refused writes" not in pages.text(f"/c/{ACME}/updates")
    assert "No write to this catalog was refused lately." in pages.text(f"/c/{ACME}/refused")
    ingress.send("PUT", ITEMS, {"items": [{"id": "<b>", "name": "A", "x\u202e": 1}]}, token="unknown")
    ingress.send("PUT", ITEMS, BAD)
    assert "Refused writes 2" in pages.text(f"/c/{ACME}/updates")
    text = pages.text(f"/c/{ACME}/refused")
    for part in (
        "400 items[0].name: field required PUT /v2/items settings-",
        "401 Invalid auth_token.",
        "no valid token",
    ):
        assert part in text, part
