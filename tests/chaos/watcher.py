"""Watch from outside for how long nothing moved while batches waited."""

from __future__ import annotations

import threading
import time

import redis

from shared import keys
from shared.errors import StoreUnavailable
from shared.store.client import Store
from shared.store.scripts import run
from tests.chaos.stage import Stage

EVERY_S = 0.25


class Watcher:
    """Measures stalls: seconds in which a catalog had a backlog and none of it was applied."""

    def __init__(self, stage: Stage, catalog_keys: list[str]) -> None:
        self._stage = stage
        self._keys = {key: keys.CatalogKeys(key) for key in catalog_keys}
        self._moved: dict[str, tuple[object, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        #: Seconds, catalog, and when it ended (monotonic).
        self.longest: tuple[float, str, float] = (0.0, "-", 0.0)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        client = self._stage.store()
        while not self._stop.wait(EVERY_S):
            try:
                self._look(client)
            except (StoreUnavailable, redis.RedisError):
                continue

    def _look(self, client: Store) -> None:
        for catalog_key, of in self._keys.items():
            waiting, applied, ended = run(
                client, ("HGET", of.waiting, "tasks"), ("HGET", of.position, "applied"), ("ZCARD", of.ended)
            )
            now, place = time.monotonic(), (applied, ended)
            before, since = self._moved.get(catalog_key, (None, now))
            if place != before or not int(waiting or 0):
                self._moved[catalog_key] = (place, now)
            else:
                self.longest = max(self.longest, (now - since, catalog_key, now))
