"""Writes of V1, which are answered once they are applied; a header names the task that each became."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from tests.chaos.patient import Patient
from tests.support.batches import Entry, entry_bytes
from tests.support.laws import Accepted

#: What a method does to items, in the words of the laws, and whether it makes those that are not there.
ITEMS = {
    ("POST", False): ("create", "FAIL"),
    ("PUT", False): ("modify", "FAIL"),
    ("PUT", True): ("modify", "CREATE"),
    ("PATCH", False): ("amend", "IGNORE"),
    ("DELETE", True): ("delete", "FAIL"),
}
GROUPS = {"POST": "add", "PUT": "replace", "PATCH": "upsert"}


def write_items(customer: Patient, draw: random.Random, ids: Sequence[str]) -> None:
    """Write items, most with variations of their own, by one of the methods; it may conflict with what is there."""
    (method, force), (operation, on_missing) = draw.choice(list(ITEMS.items()))
    sent, stored = zip(*(_item(draw, operation, item_id) for item_id in ids), strict=True)
    if method == "PATCH":
        path, body, stored = "/v1/item", sent[0], stored[:1]
    else:
        path, body = "/v1/batch_items", {"items": list(sent)}
    query = {"force": "true"} if force else {}
    _send(customer, method, path, body, query, kind="items", operation=operation, entries=stored, on_missing=on_missing)


def write_groups(customer: Patient, draw: random.Random, ids: Sequence[str]) -> None:
    """Write item groups, each below another, by one of the methods."""
    method, operation = draw.choice(list(GROUPS.items()))
    sent, stored = [], []
    for group_id in ids:
        group = {"id": group_id, "name": f"group {draw.randrange(10**6)}", "data": {"rank": draw.randrange(10)}}
        parent_id = f"top-{draw.randrange(9)}"
        sent.append({**group, "parent_id": parent_id})
        stored.append({**group, "parent_ids": [parent_id]})
    body = {"item_groups": sent}
    _send(customer, method, "/v1/item_groups", body, {}, kind="item_groups", operation=operation, entries=stored)


def _item(draw: random.Random, operation: str, item_id: str) -> tuple[Entry, Entry]:
    """Make an item as it is sent, and what is stored of it."""
    if operation == "delete":
        return {"id": item_id, "item_name": item_id}, {"id": item_id}
    price = draw.randrange(10**4)
    sent: Entry = {"id": item_id, "item_name": f"item {draw.randrange(10**6)}", "metadata": {"price": price}}
    stored: Entry = {"id": item_id, "data": {"price": price}}
    # Where an item has an id, a PATCH does not rename it.
    if operation != "amend":
        stored["name"] = sent["item_name"]
    if draw.random() < 0.7:
        made = [(f"{item_id}-{number}", {"size": draw.choice("SML")}) for number in range(draw.randrange(4))]
        sent["variations"] = [{"id": id_, "metadata": data} for id_, data in made]
        stored["variations"] = [{"id": id_, "item_id": item_id, "data": data} for id_, data in made]
    return sent, stored


def _send(
    customer: Patient, method: str, path: str, body: Any, query: dict[str, str], *, kind: str, operation: str,
    entries: Sequence[Entry], on_missing: str = "CREATE",
) -> None:  # fmt: skip
    """Send a write until it is answered, and note it in the journal.

    Whether it conflicted with what was there, and so became a task that FAILED, is for the laws to know.
    """
    sent = time.monotonic()
    answer = customer.call(method, path, body=body, **query)
    assert answer.status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.CONFLICT), (answer.status, answer.body)
    customer.accepted.append(
        Accepted(
            int(answer.headers["X-Task-Id"]), kind, operation, list(map(entry_bytes, entries)),
            section="Products" if kind == "items" else "", on_missing=on_missing, force="force" in query, sent=sent,
            answered=time.monotonic(),
        )
    )  # fmt: skip
