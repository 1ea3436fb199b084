"""Watch the memory of a fleet's processes from outside."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import redis

from tests.support.fleet import Fleet

EVERY_S = 0.25
PAGE_BYTES = 4096


class MemoryWatch:
    """Notes the most that each process held, and the most the store's data took."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)
        #: Most bytes by name, in all and in the first half.
        self.most: dict[str, int] = {}
        self.most_half: dict[str, int] = {}

    def start(self) -> None:
        self._thread.start()

    def halfway(self) -> None:
        """Note that the first half is over."""
        self.most_half = dict(self.most)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        client = self._fleet.connect()
        assert isinstance(client, redis.Redis)
        while not self._stop.wait(EVERY_S):
            self._note("store, data", int(client.info("memory")["used_memory"]))
            for member in self._fleet.members:
                for number, pid in enumerate((member.pid, *sorted(member.children()))):
                    name = f"{member.name}, child {number}" if number else member.name
                    with contextlib.suppress(OSError):
                        self._note(name, int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES)

    def _note(self, name: str, amount: int) -> None:
        self.most[name] = max(amount, self.most.get(name, 0))
