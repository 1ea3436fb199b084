"""The Integration page shows the truth, page by page."""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from flask import url_for

from shared.clock import iso
from shared.model import Kind, OnMissing
from shared.outbox.links import followers_url, update_url
from shared.outbox.outbox import Attempt, DeliveryOutcome, Outbox, OutboxEntry, Trouble
from shared.partition.heartbeats import Heartbeats
from shared.tasks import payloads, search
from tests.support.batches import items, named, variations
from tests.support.ingress import READER_TOKEN, TOKEN, Ingress
from tests.support.pages import ROOT, Elements, Pages
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer

UPDATES = f"/c/{ACME}/updates"
CATALOG = f"/c/{ACME}/catalog"
FIELDS = f"/c/{ACME}/fields"
FOLLOWERS = f"/c/{ACME}/followers"

#: What would do something if it were taken for HTML, an attribute, a template or a link.
NASTY = (
    "<script>window.hacked=1</script>",
    '"><img src=x onerror=window.hacked=1>',
    "' onmouseover='window.hacked=1",
    "{{ 7*7 }}{% raise %}",
    "javascript:window.hacked=1",
    "</pre></details><b>bold",
    "&lt;i&gt;",
)


@pytest.fixture
def pages(ingress: Ingress) -> Pages:
    pages = Pages(ingress)
    pages.sign_in()
    return pages


def links(page: Any, text: str = "") -> list[str]:
    return [attributes["href"] for attributes in page.all("a") if text in attributes.get("href", "")]


# -- followers --------------------------------------------------------------------------------------------------------


def test_followers_show_cursors_webhooks_and_what_came_of_calls(rig: Rig, ingress: Ingress, pages: Pages) -> None:
    """As text, and without any secret."""
    assert "Nobody keeps a position here" in pages.text(FOLLOWERS)
    ingress.send("PUT", "/v1/changes/cursors/indexer", {"after": "0"})
    made: Any = ingress.send("POST", "/v1/webhooks", {"url": "https://shop.example/hook", "statuses": ["FAILED"]}).json
    ingress.write("PUT", "/v2/items", {"items": items("a", "b")})
    rig.drain()
    attempt = Attempt(
        1, made["id"], 2, rig.clock(), 31, DeliveryOutcome.FAILED, 500, "answered with 500", rig.clock(), NASTY[0]
    )
    Outbox(rig.client, ACME).settle(OutboxEntry(1, made["id"]), attempt, Trouble(2, rig.clock(), "answered with 500"))
    page = pages.page(FOLLOWERS)
    for part in ("indexer follows 1 2", "https://shop.example/hook", "failing", "Only FAILED", "answered with 500",
                 "attempt 2", "took 31 ms", NASTY[0]):  # fmt: skip
        assert part in page.text, part
    assert (list(page.all("img")), made["secret"] in page.text) == ([], False)
    assert pages.get("/go", catalog_key=ACME, page="followers").location.endswith(FOLLOWERS)


# -- guards -----------------------------------------------------------------------------------------------------------


def test_the_safeguard_is_shown_as_it_is_set(rig: Rig, store_server: StoreServer) -> None:
    settings = replace(rig.settings, safeguard_ratio=0.125, safeguard_floor=7)
    pages = Pages(Ingress(replace(rig, settings=settings), store_server.url))
    pages.sign_in()
    assert "more than 12.5 % of a kind, if there are 7 entries of it or more" in pages.text(f"/c/{ACME}/guards")


def test_guards_are_shown_with_who_changed_them(ingress: Ingress, pages: Pages) -> None:
    """As text; and what there is without one."""
    path = f"/c/{ACME}/guards"
    assert "no update may delete more than 50 % of a kind" in pages.text(path)
    rules = {"mode": "warn", "fields": {f"data.{NASTY[0]}": {"max_emptied": 0.02}}}
    assert ingress.send("PUT", "/v1/guards/items", rules).status_code == 200
    assert ingress.send("PUT", "/v1/guards/item_groups", {"max_deleted": 0.1}).status_code == 200
    assert ingress.send("DELETE", "/v1/guards/item_groups").status_code == 200
    page = pages.page(path)
    for part in ("items in Products only warns", "Version 1, set", "by settings-", '"max_emptied": 0.02', NASTY[0],
                 "removed item groups version 3", "set item groups version 2"):  # fmt: skip
        assert part in page.text, part
    assert all("live.js" in each["src"] for each in page.all("script"))
    assert pages.get("/go", catalog_key=ACME, page="guards").location.endswith(path)


# -- updates ----------------------------------------------------------------------------------------------------------


def test_updates_are_listed_newest_first_with_all_that_matters(rig: Rig, ingress: Ingress, pages: Pages) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("a", "b")}, c="PIM 3.1")
    rig.drain()
    ingress.write("PATCH", "/v2/items", {"items": items("none")}, section="Content")
    rig.drain()
    ingress.write("DELETE", "/v2/items", {"items": named("a")})
    text = pages.text(UPDATES)
    assert text.index("#3") < text.index("#2") < text.index("#1")
    for part in ("put 2 items in Products", "a, b", "patch none in Content", "delete a in Products", "Queued", "Failed",
                 "Done", "IngestionError: items not found", "settings-", "just now", "next"):  # fmt: skip
        assert part in text, part


def test_the_list_says_which_entries_as_far_as_it_may_read(
    rig: Rig, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by its id, of more the first three; none where the payload is gone or too long."""
    rig.put(*items("a", "b", "c", "d", "e"))
    rig.put({"id": "v", "item_id": "a", "name": "V"}, kind=Kind.VARIATIONS)
    rig.put(*items("gone"))
    rig.drain()
    rig.client.delete(rig.keys().payload(3))
    text = pages.text(UPDATES)
    assert "put 5 items in Products a, b, c and 2 more" in text
    assert "put variation v in Products" in text
    assert "put 1 item in Products" in text
    monkeypatch.setattr(payloads, "READ_BYTES", 1)
    assert "and 2 more" not in pages.text(UPDATES)


def test_an_empty_catalog_shows_the_call_that_fills_it(rig: Rig, ingress: Ingress, pages: Pages) -> None:
    """With its own key; the list takes its place as soon as something was sent."""
    page = pages.page(UPDATES)
    assert f"http://localhost/v2/items?key={ACME}" in page.text
    assert next(page.all("body"))["data-live"] == "busy"
    reader = Pages(ingress)
    reader.sign_in(READER_TOKEN)
    assert "Your token may only read." in reader.text(UPDATES)
    assert "Send the first item" not in pages.text(UPDATES, status="FAILED")
    rig.put(*items("sku-1"))
    assert "Send the first item" not in pages.text(UPDATES)


def test_an_update_shows_what_changed_in_its_entries(rig: Rig, pages: Pages) -> None:
    """Beside what was sent, as text; of a PATCH also when nothing before is kept."""
    rig.put(b'{"id":"a","name":"A","data":{"price":19.90}}')
    rig.patch(b'{"id":"a","data":{"price":17.50}}')
    rig.put({"id": "a", "name": NASTY[0], "data": {"price": 17.5}})
    rig.drain()
    assert "price 19.90 → became 17.50" in pages.text(f"{UPDATES}/2")
    assert f"name A → became {NASTY[0]}" in pages.text(f"{UPDATES}/3")
    assert "→" not in pages.text(f"{UPDATES}/1")
    rig.client.delete(rig.keys().payload(1))
    assert "price → 17.50 What was before is no longer kept." in pages.text(f"{UPDATES}/2")


def test_links_in_mails_lead_to_pages(pages: Pages) -> None:
    """They are written by workers, who do not know the routes."""
    urls = pages.ingress.app.test_request_context
    with urls():
        assert update_url("http://localhost/", ACME, 7) == "http://localhost" + url_for(
            "dashboard.get_update", catalog_key=ACME, task_id=7
        )
        assert followers_url("http://localhost", ACME) == "http://localhost" + url_for(
            "dashboard.get_followers", catalog_key=ACME
        )


def test_the_list_can_be_watched_while_nothing_happens(rig: Rig, pages: Pages) -> None:
    """Also without JavaScript, with the filters that are set; one link begins it and ends it."""
    rig.put(*items("a"))
    rig.drain()
    quiet = pages.page(UPDATES, status="DONE")
    assert "refresh" not in pages.get(UPDATES).text
    [watch] = links(quiet, "watch=1")
    watched = pages.client.get(watch).text
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in watched
    assert 'data-live="watched"' in watched
    assert "status=DONE" in watch
    [stop] = [href for href in links(Elements(watched)) if href == f"{ROOT}{UPDATES}?status=DONE"][:1]
    assert "refresh" not in pages.client.get(stop).text


def test_chips_count_and_filter_by_status(rig: Rig, pages: Pages) -> None:
    rig.put(*items("a"))
    rig.patch(*items("none"))
    rig.drain()
    rig.put(*items("a"))
    text = pages.text(UPDATES)
    for part in ("All 3", "Queued 1", "In progress 0", "Done 1", "Failed 1", "Canceled 0"):
        assert part in text
    failed = pages.page(UPDATES, status="FAILED")
    assert links(failed, "/updates/") == [f"{ROOT}{UPDATES}/2"]
    assert "All 3" in failed.text


def test_chips_keep_their_counts_whatever_is_filtered(rig: Rig, pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """By other filters than the status, and in the history of an entry; of very many updates, of the newest."""
    rig.put(*items("a"))
    rig.patch(*items("a", "none"))
    rig.put(*items("b"))
    rig.drain()
    assert "All 2 Queued 0 In progress 0 Done 2 Failed 0" in pages.text(UPDATES, operation="put", status="FAILED")
    assert "All 2 Queued 0 In progress 0 Done 1 Failed 1" in pages.text(UPDATES, q="a", status="DONE")
    monkeypatch.setattr(search, "LOOK", 2)
    monkeypatch.setattr(search, "_STRIDE", 2)
    assert "All 1+ Queued 0+" in pages.text(UPDATES, operation="put")


def test_updates_are_filtered_by_day_and_by_minute(rig: Rig, pages: Pages) -> None:
    """In UTC; the last day, or minute, is included."""
    rig.put(*items("a"))
    day, minute = rig.clock() // 86_400_000 * 86_400_000, rig.clock() // 60_000 * 60_000
    rig.clock.advance(60_000)
    rig.put(*items("a"))
    for wanted, found in (
        ({"from": iso(day)[:10], "to": iso(day)[:10]}, "All 2"),
        ({"from": iso(minute)[:16], "to": iso(minute)[:16]}, "All 1"),
        ({"from": iso(minute + 60_000)[:16]}, "All 1"),
        ({"to": iso(minute)[:16]}, "All 1"),
        ({"from": iso(day + 86_400_000)[:10]}, "All 0"),
    ):
        assert f"{found} Queued" in pages.text(UPDATES, **wanted), wanted
    fields = {field.get("name"): field["value"] for field in pages.page(UPDATES, to="2026-11-29").all("input")}
    assert fields["to"] == "2026-11-29T23:59"
    assert "from: write a day as 2026-11-29" in pages.text(UPDATES, expected=400, **{"from": "29.11.2026"})


def test_the_history_of_an_entry_is_filtered_like_the_list(rig: Rig, pages: Pages) -> None:
    rig.put(*items("a"))
    rig.patch(*items("a", "none"))
    rig.drain()
    assert links(pages.page(UPDATES, q="a"), "/updates/") == [f"{ROOT}{UPDATES}/{number}" for number in (2, 1)]
    assert links(pages.page(UPDATES, q="a", status="FAILED"), "/updates/") == [f"{ROOT}{UPDATES}/2"]
    assert links(pages.page(UPDATES, q="a", operation="put"), "/updates/") == [f"{ROOT}{UPDATES}/1"]
    assert "No update that is kept and fits has touched" in pages.text(UPDATES, q="a", operation="delete")


def test_every_view_has_a_url_that_shows_the_same_again(rig: Rig, pages: Pages) -> None:
    rig.put(*items("a"))
    query = {"status": "QUEUED", "operation": "put", "kind": "items", "section": "Products", "protocol": "http",
             "from": "2023-11-14", "to": "2023-11-14"}  # fmt: skip
    page = pages.page(UPDATES, **query)
    assert links(page, "/updates/") == [f"{ROOT}{UPDATES}/1"]
    values = {field["name"]: field.get("value") for field in page.all("input") if "name" in field}
    assert (values["status"], values["section"], values["from"]) == ("QUEUED", "Products", "2023-11-14T00:00")
    chosen = [option.get("value") for option in page.all("option") if "selected" in option]
    assert "items" in chosen
    # A chip keeps the other filters.
    [done] = links(page, "status=DONE")
    assert "operation=put" in done
    assert links(pages.page(UPDATES, **(query | {"to": "2023-11-13", "from": ""})), "/updates/") == []


def test_pages_go_back_in_time(rig: Rig, pages: Pages) -> None:
    for _ in range(60):
        rig.put(*items("a"))
    first = pages.page(UPDATES)
    [older] = links(first, "before=")
    second = pages.client.get(older).text
    assert "#10<" in second
    assert "#60<" not in second


def test_one_asks_what_happened_to_an_entry(rig: Rig, pages: Pages) -> None:
    rig.put(*items("sku-42", price=1))
    rig.patch({"id": "sku-42", "data": {"stock": 7}}, *items("none"))
    rig.drain()
    rig.delete(*named("sku-42"))
    text = pages.text(UPDATES, q="sku-42")
    assert "What happened to sku-42" in text
    assert text.index("delete 1 item") < text.index("patch 2 items") < text.index("put 1 item")
    for part in ("waits", "ignored", "other entries made the task fail", "created", '"stock": 7'):
        assert part in text, part
    assert "No update that is kept has touched" in pages.text(UPDATES, q="nobody")


def test_one_finds_a_task_by_its_id(rig: Rig, pages: Pages) -> None:
    rig.put(*items("2"))
    rig.put(*items("x"))
    page = pages.page(UPDATES, q="#2")
    assert f"{ROOT}{UPDATES}/2" in links(page)
    # An entry may be called the same.
    page = pages.page(UPDATES, q="2")
    assert {f"{ROOT}{UPDATES}/1", f"{ROOT}{UPDATES}/2"} <= set(links(page))


def test_a_history_is_shown_after_the_payload_is_gone(rig: Rig, pages: Pages) -> None:
    none = rig.with_settings(payload_bytes=0)
    none.put(*items("a"))
    none.drain()
    text = pages.text(UPDATES, q="a")
    assert "created" in text
    assert "What was sent is no longer kept" in text


def test_an_empty_catalog_says_so(pages: Pages) -> None:
    assert "Nothing was sent to this catalog yet" in pages.text(UPDATES)
    assert "No update fits" in pages.text(UPDATES, section="none")


# -- one update -------------------------------------------------------------------------------------------------------


def test_an_update_tells_its_story(rig: Rig, ingress: Ingress, pages: Pages) -> None:
    headers = {"X-Request-Id": "find-me", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    ingress.write("PUT", "/v2/items", {"items": items("a", "b", "a")}, headers=headers, c="PIM 3.1")
    rig.clock.advance(1_500)
    rig.drain()
    text = pages.text(f"{UPDATES}/1")
    for part in ("Update #1 Done", "put 3 items in Products, sent by settings-", "from 127.0.0.1",
                 "2023-11-14 22:13:20 UTC",
                 "after waiting 1.5 s", "items updated 2", "find-me", "00-aaaa", "PIM 3.1", "DUPLICATE_ITEM",
                 "created 2", "ignored 1", "a later entry of the batch has the same id"):  # fmt: skip
        assert part in text, part


def test_a_failed_one_says_why_and_which_entries_are_to_blame(rig: Rig, pages: Pages) -> None:
    rig.put(*items("a"))
    rig.patch(*items("a", "b"))
    rig.drain()
    page = pages.page(f"{UPDATES}/2", outcome="failed")
    assert "IngestionError: items not found: 'b'" in page.text
    assert "its id does not exist" in page.text
    [entry] = links(page, "/catalog/entry")
    assert entry.endswith("id=b")
    assert '{ "id": "b", "name": "Item b" }' in page.text


def test_a_waiting_one_says_what_it_waits_for(rig: Rig, pages: Pages) -> None:
    rig.put(*items("a"))
    rig.put(*items("b"))
    text = pages.text(f"{UPDATES}/2")
    assert "Waits: 1 before it; no worker is running" in text
    Heartbeats(rig.client).beat("one", rig.clock())
    assert "no worker" not in pages.text(f"{UPDATES}/2")
    assert "Waits: next" in pages.text(f"{UPDATES}/1")


def test_a_running_one_shows_how_far_it_is(rig: Rig, pages: Pages) -> None:
    rig.put(*items(*"abcdef"), chunk_entries=2)
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant)[:2])
    page = pages.page(f"{UPDATES}/1")
    assert "4 of 6 entries applied" in page.text
    assert [(bar["max"], bar["value"]) for bar in page.all("progress")] == [("6", "4")]
    assert page.text.count("waits") == 2


def test_an_update_that_a_guard_stopped_says_what_it_would_have_changed_and_is_forced(
    rig: Rig, ingress: Ingress, pages: Pages
) -> None:
    rules = {"floor": 1, "fields": {"data.price": {"factor": 3}, "data.<b>": {}}}
    rig.put({"id": "a", "name": "A", "data": {"price": 1, "<b>": 2}})
    rig.drain()
    assert ingress.send("PUT", "/v1/guards/items", rules).status_code == 200
    ingress.write("PUT", "/v2/items", {"items": [{"id": "a", "name": "A", "data": {"price": 100}}]})
    rig.drain()
    text = pages.text(f"{UPDATES}/2")
    for part in ("What it would have changed: items", "Of 1 stored: 0 created, 1 updated", "version 1 of the guard",
                 "data.price of 1 of the 1 items sent", "1 of 1 numbers changed", "data.<b> 1 emptied"):  # fmt: skip
        assert part in text, part
    assert "What it" not in pages.text(f"{UPDATES}/1")
    again = pages.post(f"{UPDATES}/2/rerun", force="1", force_reason="it is <right>")
    assert again.headers["Location"].endswith(f"{UPDATES}/3")
    rig.drain()
    assert [ingress.get(f"/v1/tasks/{id_}")["status"] for id_ in (1, 2, 3)] == ["DONE", "FAILED", "DONE"]
    assert "force it is <right>" in pages.text(f"{UPDATES}/3")


def test_cancel_and_re_run_are_noted_with_who(rig: Rig, pages: Pages) -> None:
    rig.put(*items("a"))
    assert pages.post(f"{UPDATES}/1/cancel").location == f"{ROOT}{UPDATES}/1"
    assert "Canceled" in pages.text(f"{UPDATES}/1")
    assert "by settings-" in pages.text(f"{UPDATES}/1")
    again = pages.post(f"{UPDATES}/1/rerun")
    assert (again.status_code, again.location) == (303, f"{ROOT}{UPDATES}/2")
    text = pages.text(f"{UPDATES}/2")
    assert "re-run of #1, asked for by settings-" in text
    assert "Run again as #2" in pages.text(f"{UPDATES}/1")


def test_a_change_that_is_not_possible_any_more_is_said(rig: Rig, pages: Pages) -> None:
    rig.put(*items("a"))
    rig.drain()
    answer = pages.post(f"{UPDATES}/1/cancel")
    assert answer.status_code == 409
    assert "is not QUEUED" in unescape(answer.text)


def test_what_was_sent_can_be_downloaded_byte_for_byte(ingress: Ingress, pages: Pages) -> None:
    body = b'{ "items" : [ {"id": "a", "name": "A", "data": {"price": 19.90}} ] }'
    ingress.write("PUT", "/v2/items", body, headers={"Content-Type": "application/json"})
    answer = pages.get(f"{UPDATES}/1/payload")
    assert answer.data == body
    assert answer.headers["Content-Disposition"] == f"attachment; filename={ACME}-task-1.json"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("sku-77", ["sku-77"]), ("Größe", ["sku-5"]), ('"quoted"', ["sku-6"]), ("nowhere", []), ("items", [])],
)
def test_what_was_sent_can_be_searched(ingress: Ingress, pages: Pages, wanted: str, found: list[str]) -> None:
    """By any text of an entry, however its sender wrote it; what lies between entries is none."""
    sent: list[dict[str, Any]] = [{"id": f"sku-{number}", "name": "N"} for number in range(100)]
    sent[5]["name"], sent[6]["name"] = "Größe", 'a "quoted" word'
    ingress.write("PUT", "/v2/items", {"items": sent})
    page = pages.page(f"{UPDATES}/1", find=wanted)
    assert [href.rpartition("id=")[2] for href in links(page, "/catalog/entry")] == found


def test_entries_are_paged_and_filtered_by_outcome(rig: Rig, pages: Pages) -> None:
    rig.put(*items(*(f"a{number:02}" for number in range(30))))
    rig.drain()
    rig.patch(*items("a00", "x", "y"), on_missing=OnMissing.IGNORE)
    rig.drain()
    first = pages.page(f"{UPDATES}/1")
    [following] = links(first, "offset=")
    assert "offset=25" in following
    assert len(links(pages.page(f"{UPDATES}/1", offset=25), "/catalog/entry")) == 5
    assert len(links(pages.page(f"{UPDATES}/2", outcome="ignored"), "/catalog/entry")) == 2


# -- now --------------------------------------------------------------------------------------------------------------


def test_now_tells_of_partitions_rates_and_failures(rig: Rig, pages: Pages) -> None:
    rig.put(*items(*(f"a{number}" for number in range(60))))
    rig.patch(*items("none"))
    rig.drain()
    rig.clock.advance(61_000)
    rig.put(*items("a", "b", "c"))
    rig.acquire(holder="host:7")
    rig.clock.advance(5_000)
    Heartbeats(rig.client).beat("host:7", rig.clock())
    page = pages.page("/now")
    for part in ("0.7 entries/s applied", "1 batch waits, 3 entries", "5 s age of the oldest", "1 worker alive",
                 "1 failed in a day", "draining", "host:7", "IngestionError: items not found"):  # fmt: skip
        assert part in page.text, part
    [title] = [piece for piece in page.pieces if piece.startswith("Entries a second")]
    assert "applied, at most 1" in title


def test_a_stuck_partition_comes_first_and_says_what_to_do(rig: Rig, pages: Pages) -> None:
    narrow = rig.with_settings(max_stalls=1)
    narrow.put(*items(*"abcd"), chunk_entries=1)
    grant = narrow.acquire()
    narrow.take(grant, narrow.plan(grant)[:1])
    narrow.expire_lease()
    narrow.claim(holder="another", nonce="n").acquire()
    assert "stuck at #1: sluice partitions retry" in pages.text("/now")
    assert "Stuck: too many workers were lost" in pages.text(f"{UPDATES}/1")
    assert "stuck: needs an operator" in pages.text(UPDATES)


def test_catalogs_where_nothing_happens_are_named(rig: Rig, pages: Pages) -> None:
    rig.put(*items("a"))
    rig.drain()
    rig.clock.advance(2 * 3600_000)
    page = pages.page("/now")
    assert "1 idle" in page.text
    assert f"{ROOT}{UPDATES}" in links(page)


def test_an_idle_service_says_so(pages: Pages) -> None:
    text = pages.text("/now")
    assert "Nothing is queued, and nothing arrived within the last hour" in text
    assert "0 workers alive" in text


# -- catalog ----------------------------------------------------------------------------------------------------------


def test_entries_are_found_by_the_beginning_of_their_id(rig: Rig, pages: Pages) -> None:
    rig.put(*items("sku-1", "sku-12", "sku-2", "other"))
    rig.drain()
    page = pages.page(CATALOG, q="sku-1")
    assert [href.rpartition("id=")[2] for href in links(page, "/catalog/entry")] == ["sku-1", "sku-12"]
    assert "4 items in Products" in page.text
    assert "No id begins with x" in pages.text(CATALOG, q="x")


def test_a_long_catalog_has_pages(rig: Rig, pages: Pages) -> None:
    rig.put(*items(*(f"sku-{number:03}" for number in range(120))))
    rig.drain()
    seen: list[str] = []
    after: str | None = f"{ROOT}{CATALOG}"
    while after:
        answer = pages.client.get(after).text
        page = type(pages.page(CATALOG))(answer)
        seen += [href.rpartition("id=")[2] for href in links(page, "/catalog/entry")]
        after = next(iter(links(page, "after=")), None)
    assert seen == [f"sku-{number:03}" for number in range(120)]


def test_an_entry_shows_its_record_its_variations_and_its_history(rig: Rig, pages: Pages) -> None:
    rig.put({"id": "a", "name": "Blue shirt", "data": {"price": 1}})
    rig.put(*variations("a", "a-1"), kind=Kind.VARIATIONS)
    rig.patch({"id": "a", "data": {"price": 2}})
    rig.put(*items("a"), section="Content")
    rig.drain()
    page = pages.page(f"{CATALOG}/entry", kind="items", section="Products", id="a")
    for part in ("Blue shirt", '"price": 2', "a-1", "patch 1 item", "put 1 item"):
        assert part in page.text, part
    assert "Content" not in page.text
    variation = pages.page(f"{CATALOG}/entry", kind="variations", section="Products", id="a-1")
    assert "Of item a" in variation.text


def test_a_deleted_entry_still_has_a_history(rig: Rig, pages: Pages) -> None:
    rig.put(*items("a"))
    rig.put(*variations("a", "a-1"), kind=Kind.VARIATIONS)
    rig.delete(*named("a"))
    rig.drain()
    text = pages.text(f"{CATALOG}/entry", id="a")
    assert "This item does not exist; this is what happened to it" in text
    assert "deleted" in text
    text = pages.text(f"{CATALOG}/entry", id="a-1", kind="variations")
    assert "changed together with its item" in text


@pytest.mark.parametrize("entry_id", ["a/b?c=d&e", "日本 🙂", " blank ", "..", "%2F"])
def test_entries_of_any_id_have_a_page(rig: Rig, pages: Pages, entry_id: str) -> None:
    rig.put({"id": entry_id, "name": "Found it"})
    rig.drain()
    [href] = links(pages.page(CATALOG), "/catalog/entry")
    assert "Found it" in pages.client.get(href).text
    if entry_id == entry_id.strip():
        assert "put 1 item" in pages.text(UPDATES, q=entry_id)


def test_item_groups_belong_to_the_catalog(rig: Rig, pages: Pages) -> None:
    rig.put({"id": "shoes", "name": "Shoes"}, kind=Kind.ITEM_GROUPS)
    rig.drain()
    page = pages.page(CATALOG, kind="item_groups")
    [href] = links(page, "/catalog/entry")
    assert "section" not in href
    assert "put 1 item group" in pages.client.get(href).text


# -- HTML stays text --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nasty", NASTY)
def test_whatever_is_sent_stays_text(rig: Rig, ingress: Ingress, pages: Pages, nasty: str) -> None:
    """In ids, names, data, sections, errors, reasons and the names of clients."""
    entry = {"id": nasty, "name": f"N {nasty}", "data": {nasty: nasty}}
    ingress.write("PUT", "/v2/items", {"items": [entry]}, section=nasty, c=nasty, headers={"X-Request-Id": "r"})
    ingress.write("PATCH", "/v2/items", {"items": [{"id": nasty + "?", "name": "n1"}]}, section=nasty)
    rig.drain()
    assert rig_statuses(rig) == ["DONE", "FAILED"]
    shown = [
        pages.page(UPDATES), pages.page(f"{UPDATES}/1"), pages.page(f"{UPDATES}/2"), pages.page("/now"),
        pages.page(UPDATES, q=nasty), pages.page(UPDATES, section=nasty, by=nasty),
        pages.page(f"{UPDATES}/1", find=nasty),
        pages.page(CATALOG, section=nasty), pages.page(CATALOG, section=nasty, q=nasty),
        pages.page(f"{CATALOG}/entry", section=nasty, id=nasty), pages.page("/" + nasty.lstrip("/"), expected=404),
    ]  # fmt: skip
    for page in shown:
        for tag, attributes in page.found:
            assert tag != "img"
            assert tag != "i" or attributes == {"aria-hidden": "true"}
            assert tag != "script" or attributes.get("src", "").startswith(f"{ROOT}/static/live.js")
            assert not [name for name in attributes if name.startswith("on")]
            assert not attributes.get("href", "").lower().startswith("javascript")
    assert nasty.split()[0] in shown[1].text


def rig_statuses(rig: Rig) -> list[str]:
    return [rig.task(task_id).status.value for task_id in (1, 2)]


def test_a_reader_may_look_at_everything(rig: Rig, ingress: Ingress) -> None:
    rig.put(*items("a"))
    rig.drain()
    reader = Pages(ingress)
    reader.sign_in(READER_TOKEN)
    for path in (UPDATES, f"{UPDATES}/1", CATALOG, "/now"):
        assert reader.get(path).status_code == 200
    assert TOKEN not in reader.get(UPDATES).text


def test_an_operator_with_many_catalogs_finds_one_by_its_key(ingress: Ingress, rig: Rig) -> None:
    tools = ingress.app.extensions["sluice"]
    settings = replace(tools.settings, operator_password="operator-password")
    ingress.app.extensions["sluice"] = replace(tools, settings=settings)
    for number in range(3):
        rig.put(*items("a"), catalog_key=f"shop-{number}")
    operator = Pages(ingress)
    operator.sign_in("operator-password")
    assert operator.get("/go", catalog_key="shop-2", page="catalog").location == f"{ROOT}/c/shop-2/catalog"
    assert operator.get("/").location == f"{ROOT}/now"


def test_an_export_is_told_of_and_fetched_from_its_page(rig: Rig, ingress: Ingress, pages: Pages) -> None:
    """Nothing was sent with it, so there are no entries to look at."""
    rig.put(*items("a", "b"))
    wish = {"type": "catalog_export", "catalog_part": "items_with_variations"}
    task_id = ingress.write("POST", "/v1/tasks", wish)
    assert "export items with variations in Products" in pages.text(UPDATES)
    assert "when its turn comes" in pages.text(f"{UPDATES}/{task_id}")
    rig.drain()
    page = pages.page(f"{UPDATES}/{task_id}")
    assert "What was sent" in page.text
    assert "Find in what was sent" not in page.text
    [link] = links(page, "/v1/exports/")
    assert pages.client.get(link).status_code == 200
    assert links(pages.page(UPDATES, operation="export"), "/updates/") == [f"{ROOT}{UPDATES}/{task_id}"]


def test_a_text_that_turns_round_turns_round_only_itself(rig: Rig, pages: Pages) -> None:
    """An id or a name with U+202E stands in an element of its own, and is an escape in JSON."""
    rig.put(*({"id": "evil\u202esku", "name": "قميص\u202e"},))
    rig.drain()
    for html in (pages.get(CATALOG).text, pages.get(f"{CATALOG}/entry", id="evil\u202esku").text):
        assert "<bdi>evil\u202esku</bdi>" in html
        assert "<bdi>قميص\u202e</bdi>" in html
    assert "قميص\\u202e" in pages.text(f"{CATALOG}/entry", id="evil\u202esku")


# -- fields -----------------------------------------------------------------------------------------------------------


def test_fields_are_shown_with_presence_type_and_examples(rig: Rig, pages: Pages) -> None:
    rig.put(
        {"id": "a", "name": "A", "data": {"price": 17.5, "brand": "<b>"}},
        {"id": "b", "name": "B", "data": {"price": "x"}},
    )
    rig.drain()
    assert "Nothing was counted yet." in pages.text(FIELDS)
    rig.count_fields()
    text = pages.text(FIELDS)
    for part in ("all 2 items", "2 fields in Products", "price 100 % mixed 17.5 x", "brand 50 % string <b>"):
        assert part in text, part
    assert "1 field with PRI in the name" in pages.text(FIELDS, q="PRI")
    rig.delete(*named("a"))
    rig.drain()
    assert "The catalog has changed since." in pages.text(FIELDS)


def test_many_fields_come_in_pages(rig: Rig, pages: Pages) -> None:
    rig.put({"id": "a", "name": "A", "data": {f"f{number:03}": 1 for number in range(130)}})
    rig.drain()
    rig.count_fields()
    first = pages.page(FIELDS, sort_by="name")
    assert "f099" in first.text
    assert "f100" not in first.text
    [following] = links(first, "offset=100")
    assert "f100" in pages.text(following.removeprefix(ROOT))


# -- the safeguard ----------------------------------------------------------------------------------------------------


def test_an_update_that_the_safeguard_stopped_is_explained_and_run_again_with_force(rig: Rig, ingress: Ingress) -> None:
    """As a new update, by somebody who may write; a reader sees only the reason."""
    rig = rig.with_settings(safeguard_floor=2)
    rig.put(*items("a", "b", "c"), {"id": "d", "name": '"force":false'})
    rig.drain()
    rig.delete(*named("a", "b", "c"))
    rig.drain()
    reader = Pages(ingress)
    reader.sign_in(READER_TOKEN)
    assert "Run again with force" not in reader.text(f"{UPDATES}/2")
    pages = Pages(ingress)
    pages.sign_in()
    text = pages.text(f"{UPDATES}/2")
    assert "Nothing of it was applied, to be safe" in text
    assert "Run again with force" in text
    assert pages.post(f"{UPDATES}/2/rerun", force="1", force_reason="meant").status_code == 303
    rig.drain()
    assert list(rig.bodies()) == ["d"]
    assert (rig.task(3).batch.force, rig.task(3).retry_of, rig.task(2).batch.force) == (True, 2, False)
    assert "to be safe" not in pages.text(f"{UPDATES}/3")
