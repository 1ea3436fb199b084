"""A catalogue of a million rows is synced, twice, while others write and read.

Run by hand: ``python -m tests.benchmarks.catalog_sync``.

Told are: how long it takes from the first byte sent to the end of the task, beside what one process needs for a csv
reader and pipelined HSETs of the same rows; how much memory the ingress ever held; how long batches of another catalog
take from sending to their end while it runs; and what a reader saw who asked for pages all the time.
"""

from __future__ import annotations

import argparse
import csv
import http.client
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis

from deploy.restart import children
from shared.waiting import wait_until
from tests.acceptance.processes import peak_memory_bytes
from tests.benchmarks.processes import cpu_seconds
from tests.benchmarks.sluice_system import Sluice

BIG, SMALL = "big", "small"
HEADER = [
    "id", "item_name", "url", "image_url", "keywords", "group_ids", "facet:Colour", "facet:Size", "metadata:price",
    "metadata:sync",
]  # fmt: skip
BOUNDARY = "catalog-sync"
PIECE_BYTES = 256 * 1024


def write_rows(path: Path, rows: int, sync: int) -> None:
    """Write a file; the second sync leaves out a tenth of the first, and has as many new ones."""
    first = 0 if sync == 1 else rows // 10
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for i in range(first, first + rows):
            writer.writerow(
                [
                    f"sku-{i:08d}", f"Höchst normal shirt {i}", f"https://shop.example/p/{i}",
                    f"https://img.shop.example/{i}.jpg", "shirt|cotton|summer", f"g{i % 500}|g{i % 37}",
                    ("red", "blue", "green")[i % 3], "S|M|L", f"{i % 9999}.90", sync,
                ]
            )  # fmt: skip


def floor(path: Path, store: redis.Redis) -> tuple[float, float]:
    """Write the rows of a file as one process can; returns seconds, and those of its processor time."""
    start, cpu = time.perf_counter(), time.process_time()
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        names = next(reader)
        pipeline = store.pipeline(transaction=False)
        block: dict[str, str] = {}
        for row in reader:
            block[row[0]] = json.dumps(dict(zip(names, row, strict=True)))
            if len(block) == 1000:
                pipeline.hset("floor", mapping=block)
                block = {}
                if len(pipeline) == 4:
                    pipeline.execute()
        if block:
            pipeline.hset("floor", mapping=block)
        pipeline.execute()
    seconds = time.perf_counter() - start, time.process_time() - cpu
    store.unlink("floor")
    return seconds


class Caller:
    """One connection to the ingress, for one catalog."""

    def __init__(self, system: Sluice, catalog_key: str) -> None:
        self._connection = http.client.HTTPConnection(*system.address, timeout=600)
        self._key = catalog_key
        self._token = system.token(catalog_key)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        target = f"{path}{'&' if '?' in path else '?'}key={self._key}"
        sent = {"Authorization": f"Bearer {self._token}", **headers}
        self._connection.request(method, target, body, sent, encode_chunked="Transfer-Encoding" in sent)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text[:1000]
        return json.loads(text)

    def sync(self, path: Path) -> int:
        """Send a file; returns the task id."""
        headers = {
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Transfer-Encoding": "chunked",
        }
        return int(self.call("PUT", "/v1/catalog", _form(path), **headers)["task_id"])


def _form(path: Path) -> Iterator[bytes]:
    yield f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="items"; filename="items.csv"\r\n\r\n'.encode()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


class Beside:
    """Something done over and over beside the sync, on a thread."""

    def __init__(self, once: Callable[[], None]) -> None:
        self._once = once
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._failed: BaseException | None = None

    def __enter__(self) -> Beside:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._failed:
            raise self._failed

    def _run(self) -> None:
        try:
            while not self._stop.wait(0.02):
                self._once()
        except BaseException as error:
            self._failed = error


def measure_sync(system: Sluice, path: Path, rows: int, mark: str) -> None:
    """Sync a file while others read and write, and print what came of it."""
    reader, writer, sender = Caller(system, BIG), Caller(system, SMALL), Caller(system, BIG)
    seen: Counter[tuple[str, ...]] = Counter()
    delays: list[float] = []
    offset = 0

    def read() -> None:
        nonlocal offset
        offset = (offset + 7919) % max(1, rows - 100)
        page = reader.call("GET", f"/v2/items?num_results_per_page=100&offset={offset}")
        seen[tuple(sorted({item["data"]["sync"] for item in page["items"]}))] += 1

    def write() -> None:
        start = time.perf_counter()
        entries = [{"id": f"s{i}", "name": "Small"} for i in range(10)]
        answer = writer.call("PUT", "/v2/items?wait=30", json.dumps({"items": entries}))
        assert answer["task"]["status"] == "DONE", answer
        delays.append(time.perf_counter() - start)

    before = _cpu(system)
    with Beside(read), Beside(write):
        start = time.perf_counter()
        task_id = sender.sync(path)
        accepted = time.perf_counter() - start
        task = wait_until(lambda: _ended(sender, task_id), "the sync ends", timeout_s=600, every_s=0.1)
        total = time.perf_counter() - start
        wait_until(lambda: any(one == (mark,) for one in seen), "readers see it", timeout_s=60, every_s=0.1)
    spent = {name: f"{after - before[name]:.1f} s" for name, after in _cpu(system).items()}
    assert task["status"] == "DONE", task
    delays.sort()
    print(f"  upload {accepted:.1f} s, task ended after {total:.1f} s: {rows / total:,.0f} rows/s")
    print(f"  processor time, the readers' and the other catalog's included: {spent}")
    print(f"  {task['result']['changelog']}")
    print(f"  batches of another catalog: {len(delays)}, median {delays[len(delays) // 2] * 1000:.0f} ms, ", end="")
    print(f"99th percentile {delays[int(len(delays) * 0.99)] * 1000:.0f} ms, longest {delays[-1] * 1000:.0f} ms")
    print(f"  pages read: {dict(seen)}")
    assert all(len(one) <= 1 for one in seen), "a page was mixed"


def _ended(caller: Caller, task_id: int) -> Any:
    task = caller.call("GET", f"/v1/tasks/{task_id}")
    return task if task["status"] in ("DONE", "FAILED") else None


def _cpu(system: Sluice) -> dict[str, float]:
    return {name: cpu_seconds([group]) for name, group in system.groups().items()}


def _ingress_memory(system: Sluice) -> list[str]:
    pid = system.groups()["ingress"]
    return [f"{(peak_memory_bytes(each) or 0) / 1e6:.0f} MB" for each in (pid, *children(pid))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        system = Sluice(folder / "sluice", (BIG, SMALL))
        system.start()
        try:
            for sync in (1, 2):
                path = folder / f"items-{sync}.csv"
                write_rows(path, rows, sync)
                print(f"sync {sync}: {rows:,} rows, {path.stat().st_size / 1e6:.0f} MB")
                if sync == 1:
                    print(f"  ingress before: {_ingress_memory(system)}")
                before = _cpu(system)
                seconds, cpu = floor(path, system.store)
                print(f"  floor, csv reader and pipelined HSET: {seconds:.1f} s, {rows / seconds:,.0f} rows/s")
                store = _cpu(system)["store"] - before["store"]
                print(f"  its processor time: {cpu:.1f} s, and that of the store {store:.1f} s")
                measure_sync(system, path, rows, str(sync))
                print(f"  most memory of the ingress so far: {_ingress_memory(system)}")
        finally:
            system.stop()


if __name__ == "__main__":
    main()
