"""Copy a whole catalog from one store to another: its entries, its tasks and their payloads.

A catalog at rest does not change by itself, so no lock is needed: whether it was at rest is looked at before and
afterwards.  Who sends to it, and with which token, is not part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from shared import keys
from shared.errors import SluiceError
from shared.keys import CatalogKeys
from shared.outbox.outbox import Outboxes
from shared.store.client import Store, store_errors
from shared.store.cluster import ClusterClient
from shared.store.scripts import run

#: Members above which a key is copied page by page: in one piece it would block its server.
BIG = 10_000
PAGE = 2_000


class NotAtRest(SluiceError):
    """Batches are queued in the catalog, or arrived meanwhile."""


class AlreadyThere(SluiceError):
    """The other store already has a catalog with this key."""


def copy_catalog(source: Store, target: Store, catalog_key: str, *, now_ms: int) -> int:
    """Copy a catalog; returns the number of its keys.  What another copy had left behind is replaced.

    Raises NotAtRest, and then the copy is worth nothing; AlreadyThere if there were batches for it at the target.
    """
    of = CatalogKeys(catalog_key)
    if run(target, ("ZSCORE", keys.CATALOGS, catalog_key))[0] is not None:
        raise AlreadyThere(f"the other store has a catalog {catalog_key!r} already")
    before, copied = _state(source, of), 0
    delete_keys(target, of)
    for key in _lasting(source, of):
        _copy(source, target, key)
        copied += 1
    if _state(source, of) != before:
        delete_keys(target, of)
        raise NotAtRest(f"batches came in for {catalog_key!r}: nothing was copied")
    # Its ids go on further up, as after the end of a run: the other store may yet give out some.
    begins_anew = ("SET", of.store_run, "- 0")
    # From here on it is known, and whoever is to be told of its tasks will be.
    run(target, begins_anew, Outboxes.mark(catalog_key, now_ms), ("ZADD", keys.CATALOGS, "NX", now_ms, catalog_key))
    return copied


def delete_catalog(store: Store, catalog_key: str) -> int:
    """Delete everything of a catalog; returns the number of its keys.  Raises NotAtRest."""
    of = CatalogKeys(catalog_key)
    _state(store, of)
    run(
        store,
        *(("ZREM", key, catalog_key) for key in (keys.CATALOGS, keys.BACKLOG, keys.OUTBOXES, keys.CURSORS, keys.SINKS)),
    )
    return delete_keys(store, of)


def delete_keys(store: Store, of: CatalogKeys) -> int:
    """Delete every key of a catalog."""
    found = list(_all(store, of))
    for key in found:
        run(store, ("UNLINK", key))
    return len(found)


def _state(store: Store, of: CatalogKeys) -> list[object]:
    """Read the values that change with every batch.  Raises NotAtRest if one is queued."""
    waiting, *state = run(store, ("XLEN", of.stream), ("GET", of.seq), ("ZCARD", of.tasks), ("ZCARD", of.ended))
    if waiting:
        raise NotAtRest(f"batches wait, {waiting} of them: send no more, and try again when they are applied")
    return state


def _all(store: Store, of: CatalogKeys) -> Iterator[str]:
    server = store.server_of(of.seq) if isinstance(store, ClusterClient) else store
    pattern = re.sub(r"([\[\]*?\\])", r"\\\1", of.prefix) + "*"
    with store_errors():
        for key in server.scan_iter(match=pattern, count=1000):
            yield key.decode()


def _lasting(store: Store, of: CatalogKeys) -> Iterator[str]:
    """Go through the keys that mean something elsewhere: not who owns it, what is on its way in, what names a run."""
    # Two stores that deliver to one destination would undo each other's work.
    sinks = (of.sinks, of.sink_lease(""), of.sink_rung(""), of.sink_state(""), of.dead_letters(""))
    passing = (
        of.lease, of.rung, of.cursors, of.nonce(""), of.upload(""), of.store_run, of.reserved, of.refused_writes,
        *sinks,
    )  # fmt: skip
    return (key for key in _all(store, of) if not key.startswith(passing))


def _copy(source: Store, target: Store, key: str) -> None:
    [kind] = run(source, ("TYPE", key))
    size = {b"hash": "HLEN", b"zset": "ZCARD"}.get(kind)
    if size and run(source, (size, key))[0] > BIG:
        _copy_hash(source, target, key) if kind == b"hash" else _copy_zset(source, target, key)
        return
    data, ttl_ms = run(source, ("DUMP", key), ("PTTL", key))
    if data is not None:
        run(target, ("RESTORE", key, max(0, ttl_ms), data, "REPLACE"))


def _copy_hash(source: Store, target: Store, key: str) -> None:
    cursor = -1
    while cursor:
        [(cursor, page)] = run(source, ("HSCAN", key, max(0, cursor), "COUNT", PAGE))
        if page:
            run(target, ("HSET", key, *chain.from_iterable(page.items())))


def _copy_zset(source: Store, target: Store, key: str) -> None:
    first = 0
    while True:
        [page] = run(source, ("ZRANGE", key, first, first + PAGE - 1))
        if not page:
            return
        [scores] = run(source, ("ZMSCORE", key, *page))
        pairs = zip(map(repr, scores), page, strict=True)
        run(target, ("ZADD", key, *chain.from_iterable(pairs)))
        first += len(page)
