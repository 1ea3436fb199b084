"""Batches of 10,000 entries work; what each script took is shown, with our aim of 4 ms a call beside it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

import redis

from shared.store import scripts
from shared.store.client import connect
from tests.acceptance.customer import Customer
from tests.acceptance.load import big_items
from tests.acceptance.site import Site

#: What is stored while it is measured, in batches of so many.
STORED, BATCH = 50_000, 10_000
#: Shorter calls are not noted, nor those that scripts make: noting thousands would be what takes the time.
NOTED_US = 100


class Watch:
    """Collects how long each call of each script took, by the server's own clock."""

    def __init__(self, client: redis.Redis, say: Callable[[str], None]) -> None:
        self._client = client
        self._say = say
        self._names = {script.sha: script.name for script in scripts.ALL}
        client.config_set("slowlog-max-len", 20_000)
        client.config_set("slowlog-log-slower-than", NOTED_US)
        client.slowlog_reset()

    def report(self, what: str) -> None:
        """Say what the calls of each script took since the last report."""
        took: defaultdict[str, list[float]] = defaultdict(list)
        for entry in self._client.slowlog_get(20_000):
            command, sha = [*entry["command"].decode(errors="replace").split(maxsplit=2), "", ""][:2]
            if command == "EVALSHA" and sha in self._names:  # Celery's transport has some of its own
                took[self._names[sha]].append(entry["duration"] / 1000)
        self._client.slowlog_reset()
        figures = [
            f"{name} {median(calls):.2f}/{max(calls):.2f} ({len(calls)})" for name, calls in sorted(took.items())
        ]
        self._say(f"scripts, ms median/worst (calls), {what}: {', '.join(figures)}")


def test_ten_thousand_entries_a_batch_are_applied_as_the_laws_want_it(
    site: Site, measured: Callable[[str], None]
) -> None:
    """PUT, PATCH and DELETE of items and variations, with many more stored.  Nothing timed is asserted."""
    shop = site.customer()
    watch = Watch(connect(site.stack.environ["SLUICE_REDIS_URL"]), measured)
    items = big_items(STORED)
    some = items[:BATCH]

    start = time.monotonic()
    for first in range(0, STORED, BATCH):
        shop.put(*items[first : first + BATCH])
    wait_slowly(shop)
    seconds = time.monotonic() - start
    measured(
        f"{STORED:,} items in batches of {BATCH:,}: {STORED / seconds:,.0f} entries/s from first byte to last effect"
    )
    watch.report("PUT of new items")

    shop.put(
        *({"id": f"v{i}", "item_id": items[i // 2]["id"], "data": {"size": i}} for i in range(BATCH)), kind="variations"
    )
    wait_slowly(shop)
    watch.report("PUT of new variations")

    shop.put(*some)
    wait_slowly(shop)
    watch.report("PUT of items that are there")

    shop.patch(*({"id": item["id"], "data": {"price": 1, "tags:add": ["x"]}} for item in some))
    shop.patch(*({"id": f"v{i}", "data": {"size": None, "sold": True}} for i in range(BATCH)), kind="variations")
    wait_slowly(shop)
    watch.report("PATCH of items and variations")

    gone = shop.done(shop.delete(*({"id": item["id"]} for item in some)))
    watch.report("DELETE of items with variations")
    assert gone["result"]["changelog"]["sections"]["Products"] == {
        "items_updated": 0, "items_deleted": BATCH, "variations_deleted": BATCH,
    }  # fmt: skip
    shop.done(shop.delete(*({"id": item["id"]} for item in items[BATCH : 2 * BATCH])))
    watch.report("DELETE of items without")
    shop.check_laws()


def wait_slowly(shop: Customer) -> None:
    """Wait without taking the machine away from those who work."""
    shop.wait_all_ended(timeout_s=60, every_s=0.2)


def test_a_big_batch_with_one_bad_entry_in_the_last_chunk_changes_nothing(site: Site) -> None:
    """Even what could have been applied before it was found."""
    shop = site.customer()
    items: list[Any] = [{"id": str(i), "name": "A", "data": {"tags": []}} for i in range(BATCH - 1)]
    shop.done(shop.put(*items, {"id": "last", "name": "A", "data": {"tags": "no list"}}))
    before = shop.entries()
    task = shop.wait_for(
        shop.patch(*({"id": item["id"], "data": {"tags:add": [1]}} for item in [*items, {"id": "last"}]))
    )
    assert task["status"] == "FAILED"
    assert "'last'" in task["error"]["message"]
    assert shop.entries() == before
    shop.check_laws()
