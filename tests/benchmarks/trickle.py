"""Many catalogs that send a little each: how long each batch takes from its first byte to the end of its task."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from tests.benchmarks.http_client import Connection, Request
from tests.benchmarks.producers import paced
from tests.benchmarks.systems import END_TIMEOUT_S, System, TaskName
from tests.benchmarks.throughput import prepared

#: Connections, each for catalogs of its own.
CONNECTIONS = 4
#: Between two looks at the tasks that have not ended; one look is one round trip to the store.
LOOK_EVERY_S = 0.003


class Trickle:
    """A steady trickle: single entries, at an even pace, over some catalogs in turn."""

    def __init__(self, system: System, catalog_keys: Sequence[str], *, per_s: float, batches: int) -> None:
        self._system = system
        self._catalog_keys = catalog_keys
        self._interval_s = CONNECTIONS / per_s
        self._each = batches // CONNECTIONS
        self._waiting: dict[TaskName, float] = {}
        self._guard = threading.Lock()
        self._problems: list[BaseException] = []
        self._taken: list[float] = []
        self._over = threading.Event()

    def run(self, until: Callable[[], bool] = lambda: False) -> list[float]:
        """Send all, or until a moment, and return the milliseconds of each batch that ended before it."""
        threads = [threading.Thread(target=self._send, args=(nth,)) for nth in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        pause, late = threading.Event(), time.perf_counter() + END_TIMEOUT_S
        while self._waiting or any(thread.is_alive() for thread in threads):
            self._look()
            if self._problems or until() or time.perf_counter() > late:
                break
            pause.wait(LOOK_EVERY_S)
        self._over.set()
        for thread in threads:
            thread.join()
        if self._problems:
            raise self._problems[0]
        return self._taken

    def _look(self) -> None:
        with self._guard:
            waiting = list(self._waiting.items())
        if waiting:
            ended = self._system.ended([task for task, _ in waiting])
            now = time.perf_counter()
            for (task, sent), is_ended in zip(waiting, ended, strict=True):
                if is_ended:
                    self._taken.append((now - sent) * 1000)
                    with self._guard:
                        del self._waiting[task]

    def _send(self, nth: int) -> None:
        try:
            with Connection(self._system.address) as connection:
                share = self._catalog_keys[nth::CONNECTIONS]
                for number, request in enumerate(self._requests(share, nth)):
                    if self._over.is_set():
                        return
                    start = time.perf_counter()
                    answer = connection.send(request)
                    if answer.status != 200:
                        raise RuntimeError(f"status {answer.status}: {answer.body[:300]!r}")
                    task_id = int(json.loads(answer.body)["task_id"])
                    with self._guard:
                        self._waiting[share[number % len(share)], task_id] = start
        except BaseException as problem:
            self._problems.append(problem)

    def _requests(self, share: Sequence[str], nth: int) -> Iterator[Request]:
        puts = prepared("PUT", 64, 1)
        requests = (
            self._system.write("PUT", share[number % len(share)], puts[number % len(puts)])
            for number in range(self._each)
        )
        return paced(self._interval_s, requests, first_s=self._interval_s * nth / CONNECTIONS)
