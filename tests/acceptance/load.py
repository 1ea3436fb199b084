"""Batches in which the order matters: whatever is applied twice, not at all, or too early shows in the end."""

from __future__ import annotations

import random
from typing import Any

from tests.acceptance.customer import Answer, Customer

#: Ids that the batches of one customer share.
IDS = 1000


def send_any(customer: Customer, draw: random.Random, *, entries: int) -> Answer:
    """Send a batch of some operation, on some of the ids that all others use too."""
    ids = draw.sample(range(IDS), entries)
    mark = len(customer.accepted)
    match draw.randrange(8):
        case 0 | 1 | 2:
            return customer.send("PUT", [_item(i, mark) for i in ids])
        case 3 | 4:
            edit = {"tags:add": [mark], "tags:remove": [mark - 1], "mark": mark, f"only-{mark}": True}
            changes: list[Any] = [{"id": f"item {i}", "data": edit} for i in ids]
            return customer.send("PATCH", changes, on_missing="IGNORE")
        case 5:
            return customer.send("DELETE", [{"id": f"item {i}"} for i in ids[: entries // 4]], force=True)
        case 6:
            return customer.send("PUT", [_variation(i, mark) for i in ids], kind="variations")
        case _:
            # Fails whole unless every single id is there.
            return customer.send("PATCH", [{"id": f"item {i}", "data": {"strict": mark}} for i in ids[:3]])


def some_batches(customers: list[Customer], count: int, *, entries: int, seed: int) -> None:
    """Send so many batches, to one customer after the other; all must be accepted."""
    draw = random.Random(seed)
    for number in range(count):
        send_any(customers[number % len(customers)], draw, entries=entries).ok()


def big_items(count: int, **fields: Any) -> list[Any]:
    """Items of about 550 bytes each, all alike but for their ids."""
    text = "lorem ipsum dolor sit amet " * 15
    return [
        {
            "id": f"item-{i:06}",
            "name": f"Item {i}",
            "data": {"url": f"/p/{i}", "text": text, "price": i / 100, **fields},
        }
        for i in range(count)
    ]


def _item(number: int, mark: int) -> dict[str, Any]:
    data = {"mark": mark, "tags": [mark], "price": 19.90 + number, "text": "some text of some length " * 8}
    return {"id": f"item {number}", "name": f"Item {number} of batch {mark}", "suggested_score": mark, "data": data}


def _variation(number: int, mark: int) -> dict[str, Any]:
    # With a later batch, a variation may move to another item.
    return {"id": f"variation {number}", "item_id": f"item {(number + mark % 3) % IDS}", "data": {"mark": mark}}
