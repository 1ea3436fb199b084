"""Measure the Integration page and ``/metrics`` over a big store: ``python -m tests.benchmarks.pages``.

100,000 tasks in 1,500 catalogs, half of them in one; every catalog has a backlog.  A stack with the settings that ship
answers, one request after the other.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from deploy.stack.services import Name
from deploy.stack.stack import Stack
from shared.clock import now_ms
from shared.store.client import connect
from tests.acceptance.processes import children
from tests.acceptance.site import environment
from tests.support.batches import items
from tests.support.by_hand import HandClock
from tests.support.rig import Rig

PASSWORD = "for-the-measurement"
BIG = "shop-0000"
CATALOGS, TASKS = 1_500, 100_000
#: Requests of each page.
TIMES = 25

PAGES = {
    "now": "/integration/now",
    "all updates": "/integration/updates",
    "all updates, failed": "/integration/updates?status=FAILED",
    "updates": f"/integration/c/{BIG}/updates",
    "updates, failed": f"/integration/c/{BIG}/updates?status=FAILED",
    "updates of a sender that never sent": f"/integration/c/{BIG}/updates?by=nobody",
    "updates, far back": f"/integration/c/{BIG}/updates?before=2000",
    "history of an entry": f"/integration/c/{BIG}/updates?q=sku-7",
    "history of an unknown entry": f"/integration/c/{BIG}/updates?q=none",
    "one update": f"/integration/c/{BIG}/updates/900",
    "one update of 10,000 entries": f"/integration/c/{BIG}/updates/1",
    "text found nowhere in 10,000 entries": f"/integration/c/{BIG}/updates/1?find=nowhere",
    "catalog": f"/integration/c/{BIG}/catalog",
    "entry": f"/integration/c/{BIG}/catalog/entry?id=sku-7&section=Products",
    "fields": f"/integration/c/{BIG}/fields",
    "guards": f"/integration/c/{BIG}/guards",
    "followers": f"/integration/c/{BIG}/followers",
    "tokens": f"/integration/c/{BIG}/tokens",
    "refused writes": f"/integration/c/{BIG}/refused",
    "/metrics": "/metrics",
}


class Reader:
    """One connection of somebody who has signed in."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        self._cookie = ""
        csrf = re.search(rb'name="csrf" value="([^"]+)"', self.get("/integration/login"))
        assert csrf
        form = urlencode({"csrf": csrf[1].decode(), "secret": PASSWORD})
        self._ask("POST", "/integration/login", form, {"Content-Type": "application/x-www-form-urlencoded"})

    def get(self, path: str) -> bytes:
        """Read a page that must be there."""
        status, body = self._ask("GET", path, None, {})
        assert status == 200, (path, status, body[:300])
        return body

    def seconds(self, path: str) -> float:
        """Measure one answer."""
        start = time.perf_counter()
        self.get(path)
        return time.perf_counter() - start

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        self._connection.request(method, path, body, {**headers, "Cookie": self._cookie})
        answer = self._connection.getresponse()
        self._cookie = (answer.headers.get("Set-Cookie") or self._cookie).partition(";")[0]
        return answer.status, answer.read()


def fill(rig: Rig, *, catalogs: int, tasks: int) -> None:
    """Send and apply: half of the tasks to one catalog, one of a hundred fails; then one more that waits, each."""
    keys = [f"shop-{number:04}" for number in range(catalogs)]
    rig.put(*items(*(f"sku-{number}" for number in range(10_000)), data={"price": 1}), catalog_key=BIG)
    for number in range(1, tasks):
        catalog_key = BIG if number % 2 else keys[number // 2 % catalogs]
        rig.clock.advance(30)
        if number % 100 == 99:
            rig.patch({"id": "missing", "name": "x"}, catalog_key=catalog_key)
        else:
            rig.put(*items(f"sku-{number % 97}", f"sku-{number % 89}"), catalog_key=catalog_key)
        if number % 200 == 0:
            rig.drain(BIG)
    for catalog_key in keys:
        rig.drain(catalog_key)
        rig.put(*items("last"), catalog_key=catalog_key)


def cpu_seconds(pids: list[int]) -> float:
    """The processor time that processes have had, whoever else was at work on the machine; 0 where it is not told."""
    stats = [Path(f"/proc/{pid}/stat") for pid in pids]
    fields = [stat.read_text(encoding="ascii").rpartition(")")[2].split() for stat in stats if stat.exists()]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def measure(stack: Stack) -> bool:
    """Print how long each page takes; true if all are fast enough."""
    reader, fast = Reader(stack.api_url), True
    servers = [stack.pids()[Name.STORE], *children(stack.pids()[Name.INGRESS])]
    print(f"{'page':40} {'median ms':>10} {'worst ms':>10} {'CPU ms':>8} {'kB':>8}")
    for name, path in PAGES.items():
        size, before = len(reader.get(path)) / 1000, cpu_seconds(servers)
        took = [reader.seconds(path) * 1000 for _ in range(TIMES)]
        cpu_ms = (cpu_seconds(servers) - before) * 1000 / TIMES
        print(f"{name:40} {statistics.median(took):10.1f} {max(took):10.1f} {cpu_ms:8.1f} {size:8.0f}")
        fast &= statistics.median(took) < (100 if path == "/metrics" else 200)
    return fast


def main() -> int:
    """Fill a store, measure, and say by the status whether all is fast enough."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--catalogs", type=int, default=CATALOGS)
    parser.add_argument("--tasks", type=int, default=TASKS)
    wanted = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sluice-pages-"))
    try:
        with Stack(environment(folder, operator_password=PASSWORD), flower=False) as stack:
            stack.stop_service(Name.WORKER)
            start, url = time.monotonic(), stack.environ["SLUICE_REDIS_URL"]
            rig = Rig(connect(url), clock=HandClock(now_ms() - wanted.tasks * 30))
            fill(rig, catalogs=wanted.catalogs, tasks=wanted.tasks)
            print(f"{wanted.tasks:,} tasks in {wanted.catalogs:,} catalogs, made in {time.monotonic() - start:.0f} s")
            return 0 if measure(stack) else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
