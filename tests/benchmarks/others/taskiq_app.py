"""The ceiling without order: taskiq on Redis, asynchronous, many batches at once, the leanest code there is."""

from __future__ import annotations

import asyncio
import os
import threading
from functools import cache

import msgspec
import redis.asyncio
from taskiq_redis import ListQueueBroker

from tests.benchmarks.others.api import create_app
from tests.benchmarks.others.effects import APPLIED, items_key, task_key
from tests.benchmarks.others.environment import BROKER_URL, STORE_URL, store
from tests.benchmarks.others.schemas import check_fast

# Its worker waits for a task as long as there is none; with redis-py's time-out it would break after 5 s, and lose one.
broker = ListQueueBroker(os.environ[BROKER_URL], queue_name="unordered", socket_timeout=None)


class _Named(msgspec.Struct):
    id: str


class _Body(msgspec.Struct):
    items: list[msgspec.Raw]


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_named = msgspec.json.Decoder(_Named).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


@cache
def _store() -> redis.asyncio.Redis:
    return redis.asyncio.Redis.from_url(os.environ[STORE_URL])


@broker.task(task_name="apply_batch")
async def apply_batch(catalog_key: str, task_id: int, method: str, body: str) -> None:
    entries = _decode_body(body).items
    ids = [_decode_named(entry).id for entry in entries]
    client, key = _store(), items_key(catalog_key)
    values: dict[str, bytes] = {}
    if method == "PUT":
        values = {id_: bytes(entry) for id_, entry in zip(ids, entries, strict=True)}
    elif method == "PATCH":
        stored = await client.hmget(key, ids)
        values = {id_: _merged(old, new) for id_, old, new in zip(ids, stored, entries, strict=True) if old}
    async with client.pipeline(transaction=True) as pipe:
        if values:
            pipe.hset(key, mapping=values)
        if method == "DELETE":
            pipe.hdel(key, *ids)
        pipe.hset(task_key(catalog_key, task_id), "status", "DONE")
        pipe.incr(APPLIED)
        await pipe.execute()


def _merged(old: bytes, new: msgspec.Raw) -> bytes:
    before, sent = _decode_fields(old), _decode_fields(new)
    data = {**_decode_fields(before.get("data", b"{}")), **_decode_fields(sent.get("data", b"{}"))}
    return _encode({**before, **sent, "data": data})


def _check(_: str, body: str) -> None:
    try:
        check_fast(body)
    except msgspec.DecodeError as refused:
        raise ValueError(str(refused)) from None


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The event loop that publishes, on a thread of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="taskiq", daemon=True).start()
    return loop


def _enqueue(catalog_key: str, task_id: int, method: str, body: str) -> None:
    asyncio.run_coroutine_threadsafe(apply_batch.kiq(catalog_key, task_id, method, body), _loop()).result()


app = create_app(store(), _enqueue, _check)
