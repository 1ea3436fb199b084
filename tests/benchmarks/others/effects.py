"""Apply a batch in the workers of the other systems: one transaction for the entries and the status."""

from __future__ import annotations

import json
from typing import Any

import redis

#: Counts the batches that were applied, so that the benchmark can see the last one end.
APPLIED = "applied"

Item = dict[str, Any]


def items_key(catalog_key: str) -> str:
    return f"{catalog_key}:items"


def task_key(catalog_key: str, task_id: int | str) -> str:
    return f"{catalog_key}:task:{task_id}"


def apply(client: redis.Redis, catalog_key: str, task_id: int, method: str, body: str) -> None:
    """Apply a batch."""
    items: list[Item] = json.loads(body)["items"]
    values: dict[str, str | bytes] = {}
    if method == "PUT":
        values = {item["id"]: _dump(item) for item in items}
    elif method == "PATCH":
        ids = [item["id"] for item in items]
        stored = client.hmget(items_key(catalog_key), ids)
        pairs = zip(items, stored, strict=True)
        values = {item["id"]: _dump(_merged(json.loads(before), item)) for item, before in pairs if before}
    finish(client, catalog_key, task_id, values, [item["id"] for item in items] if method == "DELETE" else [])


def finish(client: redis.Redis, catalog_key: str, task_id: int, values: dict[str, Any], deleted: list[str]) -> None:
    """Write what a batch changes and the status of its task, in one round trip."""
    with client.pipeline(transaction=True) as pipe:
        if values:
            pipe.hset(items_key(catalog_key), mapping=values)
        if deleted:
            pipe.hdel(items_key(catalog_key), *deleted)
        pipe.hset(task_key(catalog_key, task_id), "status", "DONE")
        pipe.incr(APPLIED)
        pipe.execute()


def _merged(before: Item, sent: Item) -> Item:
    return {**before, **sent, "data": {**before.get("data", {}), **sent.get("data", {})}}


def _dump(item: Item) -> str:
    return json.dumps(item, ensure_ascii=False, separators=(",", ":"))
