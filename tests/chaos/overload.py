"""``python -m tests.chaos.overload``: far more is sent than can be applied, for as long as you like."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import http.client
import json
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.acceptance.customer import Customer, open_connection, send_over
from tests.chaos.memory_watch import MemoryWatch
from tests.support.fleet import Fleet, Member, running_fleet

TOKEN = "flood-token"
CATALOGS = [f"flood-{number}" for number in range(4)]
#: Who sends at the same time, each again as soon as it is answered: enough for every thread and a queue before it.
SENDERS = 32
#: Senders with which nothing is refused for long: they wait as they are told.
POLITE = 4
ENTRIES = 1000
BODIES = 24
#: Batches of one catalog that may wait: what is refused is refused soon.
QUEUE_TASKS = 25
#: Little enough that a flood fills it to where batches are refused.
MAXMEMORY = 64 * 1024**2
#: Seconds in which everything accepted must have ended.
PEACE_S = 120.0

_never = threading.Event()


@dataclasses.dataclass
class Flood:
    """What was sent, and what came of it."""

    seconds: float
    #: Entries applied in a second while senders did as they were told.
    capacity: float = 0.0
    #: Entries sent in a second of the flood, and those that were taken.
    offered: float = 0.0
    taken: float = 0.0
    statuses: Counter[int] = dataclasses.field(default_factory=Counter)
    slowest_s: float = 0.0
    median_s: float = 0.0
    settled_s: float = 0.0
    #: Most bytes each process held, by its name.
    memory: dict[str, int] = dataclasses.field(default_factory=dict)
    #: The same at half the time of the flood: what grows for ever shows.
    memory_half: dict[str, int] = dataclasses.field(default_factory=dict)
    #: What was wrong; empty if all was well.
    wrong: list[str] = dataclasses.field(default_factory=list)


class Sender:
    """Sends one body after the other to one catalog after the other, and notes what was accepted."""

    def __init__(self, url: str, bodies: list[bytes], seed: int, *, polite: bool) -> None:
        self._url = url
        self._bodies = bodies
        self._random = random.Random(seed)
        self._polite = polite
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sender-{seed}", daemon=True)
        self._authorization = Customer(url, "", TOKEN).authorization
        #: (catalog key, task id, body).
        self.accepted: list[tuple[str, int, int]] = []
        #: (status, seconds), in order.
        self.answers: list[tuple[int, float]] = []
        self.wrong: list[str] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop after the answer at hand; `join` waits for it."""
        self._stop.set()

    def join(self) -> None:
        self._thread.join(60)

    def _run(self) -> None:
        connection = open_connection(self._url)
        while not self._stop.is_set():
            try:
                self._send(connection)
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(f"no answer: {error!r}")
                connection = open_connection(self._url)
        connection.close()

    def _send(self, connection: http.client.HTTPConnection) -> None:
        catalog_key, number = self._random.choice(CATALOGS), self._random.randrange(len(self._bodies))
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        answer = send_over(
            connection,
            "PUT",
            f"/v2/items?key={catalog_key}",
            body=self._bodies[number],
            headers=headers,
        )
        self.answers.append((answer.status, answer.seconds))
        if answer.status == 200:
            self.accepted.append((catalog_key, answer.json()["task_id"], number))
        elif answer.status in (429, 503) and int(answer.headers.get("Retry-After", "0")) > 0:
            if self._polite:
                self._stop.wait(0.05)
        else:
            self.wrong.append(f"{answer.status}: {answer.body[:200]!r}")


def run_flood(seconds: float, *, seed: int, folder: Path) -> Flood:
    """Measure what is applied, send far more, and look at everything; what is wrong is in the result."""
    flood = Flood(seconds)
    draw = random.Random(seed)
    batches = [_batch(draw) for _ in range(BODIES)]
    bodies = [json.dumps({"items": batch}).encode() for batch in batches]
    with running_fleet(
        folder, credentials=",".join(f"{key}:{TOKEN}" for key in CATALOGS), ingress=2, queue_tasks=QUEUE_TASKS,
        store={"maxmemory": MAXMEMORY}, payload_bytes=8 * 1024**2, log_level="WARNING",
    ) as fleet:  # fmt: skip
        customers = [Customer(fleet.urls[0], key, TOKEN) for key in CATALOGS]
        start = time.monotonic()
        polite = _send_for(fleet, bodies, seconds / 4, POLITE, seed)
        _settle(customers)
        flood.capacity = len(_accepted(polite)) * ENTRIES / (time.monotonic() - start)
        watch = MemoryWatch(fleet)
        watch.start()
        with _slowed(fleet.workers[0]):
            rude = _send_for(fleet, bodies, seconds, SENDERS, seed + POLITE, halfway=watch.halfway)
        flood.offered = sum(len(sender.answers) for sender in rude) * ENTRIES / seconds
        flood.taken = len(_accepted(rude)) * ENTRIES / seconds
        flood.settled_s = _settle(customers)
        watch.stop()
        flood.memory, flood.memory_half = watch.most, watch.most_half
        _sum_up(flood, rude)
        flood.wrong += [problem for sender in polite for problem in sender.wrong]
        for customer in customers:
            _look(customer, sorted(_accepted(polite + rude)), batches, flood)
    return flood


@contextlib.contextmanager
def _slowed(worker: Member) -> Iterator[None]:
    """Let a worker run for a quarter of the time: who sends from the same machine could not outdo it by far."""
    stop = threading.Event()

    def slow() -> None:
        while not stop.is_set():
            worker.signal(signal.SIGSTOP, group=True)
            stop.wait(0.15)
            worker.signal(signal.SIGCONT, group=True)
            stop.wait(0.05)

    thread = threading.Thread(target=slow, name="slowed", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _send_for(
    fleet: Fleet, bodies: list[bytes], seconds: float, count: int, seed: int, *, halfway: Any = None
) -> list[Sender]:
    senders = [Sender(fleet.urls[0], bodies, seed + number, polite=halfway is None) for number in range(count)]
    for sender in senders:
        sender.start()
    _never.wait(seconds / 2)
    if halfway:
        halfway()
    _never.wait(seconds / 2)
    for sender in senders:
        sender.stop()
    for sender in senders:
        sender.join()
    return senders


def _settle(customers: list[Customer]) -> float:
    start = time.monotonic()
    for customer in customers:
        customer.wait_all_ended(timeout_s=PEACE_S, every_s=0.1)
    return time.monotonic() - start


def _accepted(senders: list[Sender]) -> list[tuple[str, int, int]]:
    return [accepted for sender in senders for accepted in sender.accepted]


def _sum_up(flood: Flood, senders: list[Sender]) -> None:
    answers = [answer for sender in senders for answer in sender.answers]
    flood.statuses = Counter(status for status, _ in answers)
    times = sorted(seconds for _, seconds in answers)
    flood.median_s, flood.slowest_s = times[len(times) // 2], times[-1]
    flood.wrong += [problem for sender in senders for problem in sender.wrong]


def _look(customer: Customer, accepted: list[tuple[str, int, int]], batches: list[Any], flood: Flood) -> None:
    """Compare a catalog with what its accepted batches make, one after the other."""
    mine = [(task_id, number) for key, task_id, number in accepted if key == customer.catalog_key]
    there = {task.id: task.status for task in customer.tasks()}
    if there != {task_id: "DONE" for task_id, _ in mine}:
        flood.wrong.append(f"{customer.catalog_key}: {len(mine)} accepted, there are {Counter(there.values())}")
    should = {item["id"]: item for _, number in mine for item in batches[number]}
    if {entry_id: json.loads(body) for entry_id, body in customer.entries()} != should:
        flood.wrong.append(f"{customer.catalog_key}: the items are not those of its batches in order")


def _batch(draw: random.Random) -> list[dict[str, Any]]:
    """Items of about 400 bytes, of a stock of twice as many."""
    return [
        {
            "id": f"sku-{number}",
            "name": f"Item {draw.random()}",
            "data": {"text": "some text " * 20, "n": draw.random()},
        }
        for number in draw.sample(range(2 * ENTRIES), ENTRIES)
    ]


def report(flood: Flood) -> str:
    """Write down what came of a flood."""
    verdict = "All was well." if not flood.wrong else "WRONG:\n" + "\n".join(f"* {line}" for line in flood.wrong[:20])
    memory = "\n".join(
        f"| {name} | {flood.memory_half[name] / 1024**2:.0f} | {most / 1024**2:.0f} |"
        for name, most in sorted(flood.memory.items())
    )
    answers = ", ".join(f"{status}: {count}" for status, count in sorted(flood.statuses.items()))
    return (
        f"# Overload, {flood.seconds:g} s\n\n{verdict}\n\n"
        f"* {flood.offered:,.0f} entries/s were sent, {flood.offered / flood.taken:.1f} times as many as were taken,"
        f" {flood.taken:,.0f}/s; without the flood it is {flood.capacity:,.0f}/s\n"
        f"* answers: {answers}; median {flood.median_s:.2f} s, slowest {flood.slowest_s:.2f} s\n"
        f"* everything accepted was applied {flood.settled_s:.1f} s after the last request\n\n"
        f"| memory, MiB | most in the first half | most in all |\n|---|---|---|\n{memory}\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flood-") as folder:
        flood = run_flood(arguments.seconds, seed=arguments.seed, folder=Path(folder))
    sys.stdout.write(report(flood))
    return bool(flood.wrong)


if __name__ == "__main__":
    sys.exit(main())
