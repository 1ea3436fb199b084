"""What is measured of the stack while it runs: how long it takes, and what each of its processes holds."""

from __future__ import annotations

import contextlib
import os
import random
import time
from pathlib import Path

from deploy.restart import children
from deploy.stack.services import Name
from shared.keys import CatalogKeys
from tests.soak.part import Part
from tests.soak.stage import PROBED, SHOPS, Stage

PAGE_BYTES = os.sysconf("SC_PAGESIZE")
#: Entries of a batch that is waited for.
BATCH = 100

#: By series: (seconds since the start, value).
Series = dict[str, list[tuple[float, float]]]


class Probe:
    """Takes samples, each named by what it is and its unit."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._random = random.Random(f"{seed} probe")
        self._customer = stage.customer(PROBED)
        self._store = stage.store()
        self._began = time.monotonic()
        self.series: Series = {}
        #: Webhooks that were received.
        self.told = 0

    def parts(self, *, every_s: float) -> list[Part]:
        """List what is looked at; the processes every so many seconds."""
        return [Part("latency", self._wait_for_a_batch, 0.5), Part("processes", self._look, every_s)]

    def _note(self, name: str, value: float) -> None:
        self.series.setdefault(name, []).append((time.monotonic() - self._began, value))

    def _wait_for_a_batch(self) -> None:
        draw = self._random
        items = [{"id": f"item {i}", "name": str(draw.random()), "data": {"text": "text " * 40}} for i in range(BATCH)]
        written = self._customer.call("PUT", "/v2/items", body={"items": items}, wait="10")
        assert written.ok()["task"]["status"] == "DONE", written.body
        self._note("write of 100 until applied, ms", written.seconds * 1000)
        read = self._customer.entry("item 1")
        assert read.ok()["name"] == items[1]["name"]
        self._note("read of an item, ms", read.seconds * 1000)

    def _look(self) -> None:
        for name, pid in self._processes():
            with contextlib.suppress(OSError):
                resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
                self._note(f"memory of {name}, MB", resident / 1e6)
                self._note(f"open files of {name}", len(list(Path(f"/proc/{pid}/fd").iterdir())))
        memory = self._store.info("memory")
        self._note("memory of the store's data, MB", memory["used_memory"] / 1e6)
        # The broker's too, which has the next database; but for one of each export, which are kept for three days.
        exports = sum(self._store.zcard(CatalogKeys(key).export_files) for key in SHOPS)
        keys = sum(of["keys"] for of in self._store.info("keyspace").values())
        self._note("keys, without those of exports", keys - exports)
        self._note("connections to the store", int(self._store.info("clients")["connected_clients"]))
        folder = self._stage.stack.folder.path
        self._note("disk: the store's log, MB", _bytes_in(folder / "store") / 1e6)
        self._note("disk: exports, MB", _bytes_in(folder / "exports") / 1e6)
        self._note("disk: log files, MB", _bytes_in(folder / "log") / 1e6)
        self.told += len(self._stage.receiver.calls)
        self._stage.receiver.calls.clear()

    def _processes(self) -> list[tuple[str, int]]:
        found = []
        for name, pid in sorted(self._stage.stack.pids().items()):
            found.append((str(name), pid))
            if name in (Name.INGRESS, Name.WORKER):
                found += [(f"{name}, child {number}", child) for number, child in enumerate(sorted(children(pid)), 1)]
        return found


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        # It may have been removed meanwhile.
        with contextlib.suppress(OSError):
            total += path.stat().st_blocks * 512
    return total
