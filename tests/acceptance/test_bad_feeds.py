"""Feeds as they go wrong, each stopped by the recipe of the docs, with a message that a person understands."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.acceptance.customer import Customer
from tests.docs.pages import DOCS
from tests.support.files import MULTIPART, multipart

Row = dict[str, str]

COUNT = 400
COLUMNS = ["id", "item_name", "url", "image_url", "description", "metadata:price", "keywords"]


def recipe() -> dict[str, Any]:
    """The rules of the page, enforced."""
    page = (DOCS / "how-to" / "stop-a-bad-feed.md").read_text(encoding="utf-8")
    rules: dict[str, Any] = json.loads(re.findall(r"<<'JSON'\n(.*?)\nJSON\n", page, re.DOTALL)[0])
    del rules["mode"]
    return rules


def feed(day: int) -> list[Row]:
    """The feed of a day: on each, other items are a little cheaper, one is new and one is gone."""
    return [
        {
            "id": f"sku-{number}",
            "item_name": f"Größe {number}, schön",
            "url": f"https://shop.example/{number}",
            "image_url": f"https://img.example/{number}.jpg",
            "description": f"Für Füße, Nummer {number}",
            "metadata:price": f"{10 + number + (day - number) // 30 * 0.5:.2f}",
            "keywords": "schuh|neu",
        }
        for number in range(day, day + COUNT)
    ]


def a_hundred_times(rows: list[Row]) -> Iterable[Row]:
    return [{**row, "metadata:price": row["metadata:price"].replace(".", "")} for row in rows]


def shifted(rows: list[Row]) -> Iterable[Row]:
    """A cell is missing behind the url: all that follow are in the column before their own."""
    names = COLUMNS[2:]
    return [{**row, **dict(zip(names, [row[name] for name in names[1:]] + [""], strict=True))} for row in rows]


def half(rows: list[Row]) -> Iterable[Row]:
    return rows[: len(rows) // 2]


def garbled(rows: list[Row]) -> Iterable[Row]:
    """UTF-8 that was read as Windows-1252."""
    return [{name: cell.encode().decode("cp1252") for name, cell in row.items()} for row in rows]


def as_file(rows: Iterable[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return multipart({"items": text.getvalue()})


def as_items(rows: Iterable[Row]) -> list[dict[str, Any]]:
    return [
        {
            "id": row["id"],
            "name": row["item_name"],
            "data": {
                **{name: row[name] for name in ("url", "image_url", "description")},
                "price": row["metadata:price"],
            },
        }
        for row in rows
    ]


def sync(customer: Customer, rows: Iterable[Row], **query: Any) -> Any:
    """Send a feed as a whole catalogue, and return its task when it has ended."""
    query |= {"wait": 20}
    return customer.call("PUT", "/v1/catalog", body=as_file(rows), headers=MULTIPART, **query).ok()["task"]


def put(customer: Customer, rows: Iterable[Row], **query: Any) -> Any:
    return customer.call("PUT", "/v2/items", body={"items": as_items(rows)}, wait=20, **query).ok()["task"]


def yesterday_and_rules(customer: Customer, send: Callable[..., Any]) -> None:
    """Feeds of good days, the first into an empty catalogue, all under the rules of the recipe."""
    customer.call("PUT", "/v1/guards/items", body=recipe()).ok()
    for day in (28, 29):
        task = send(customer, feed(day))
        assert task["status"] == "DONE", task
        assert task["result"]["ingestion_warnings"] == []


#: How each is spoilt, and what the error says, for all that but chance decides.
TRIALS: dict[str, tuple[Callable[[list[Row]], Iterable[Row]], str]] = {
    "prices x 100": (a_hundred_times, r"data\.price of 399 of the 400 items sent .* by more than a factor of 3"),
    "a column shifted": (shifted, r"400 items break the schema \(such as 'sku-\d+': data\.(image_)?url: .* does not"),
    "a wrong encoding": (
        garbled,
        r"name of 400 of the 400 items sent \(100 %\) look decoded with a wrong character",
    ),
    "half the file": (half, r"this would delete 200 of the 400 items in section 'Products', more than 10%"),
    "an old file": (lambda _: feed(-20), r"this would update 3\d\d items, .* of the 400 that are stored; at most 50 %"),
}


@pytest.mark.parametrize(("spoil", "said"), TRIALS.values(), ids=TRIALS)
def test_a_bad_file_is_stopped(customer: Customer, spoil: Callable[[list[Row]], Iterable[Row]], said: str) -> None:
    """And the catalogue is as it was; the feed that is right goes through after it."""
    yesterday_and_rules(customer, sync)
    before = customer.entries()
    task = sync(customer, spoil(feed(30)))
    assert task["status"] == "FAILED"
    message = task["error"]["message"]
    assert message.startswith("IngestionError: ")
    assert re.search(said, message), message
    assert len(message) < 2000
    assert task["planned"]["items"]["stored"] == COUNT
    assert customer.entries() == before
    assert sync(customer, feed(30))["status"] == "DONE"


@pytest.mark.parametrize("spoil", [a_hundred_times, shifted, garbled])
def test_a_bad_batch_is_stopped_too_and_names_the_worst(
    customer: Customer, spoil: Callable[[list[Row]], Iterable[Row]]
) -> None:
    yesterday_and_rules(customer, put)
    task = put(customer, spoil(feed(29)))
    assert task["status"] == "FAILED"
    path = f"/v1/tasks/{task['id']}/entries"
    worst = customer.call("GET", path, outcome="failed").ok()["entries"]
    assert 10 <= len(worst) <= 30
    assert all(one["reason"] for one in worst)
    forced = put(customer, spoil(feed(29)), force="true", force_reason="as meant")
    assert (forced["status"], forced["force_reason"]) == ("FAILED" if spoil is shifted else "DONE", "as meant")
