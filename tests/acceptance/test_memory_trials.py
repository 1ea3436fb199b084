"""What was accepted can be applied within the store's memory, whatever the texts are like.

For each kind of text a store is filled while its worker stands still, until the answer is 503, and the worker then goes
on.  ``TRIAL_MB`` is the store's ``maxmemory``; if it is set, every kind is tried.
"""

from __future__ import annotations

import json
import os
import random
import signal
import string
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from itertools import count
from typing import Any, NamedTuple

import pytest

from shared.waiting import wait_until
from tests.acceptance.customer import Customer, open_connection, send_over
from tests.support.fleet import Fleet, running_fleet

ALL = "TRIAL_MB" in os.environ
MAXMEMORY = int(os.environ.get("TRIAL_MB", "64")) * 2**20
#: Nothing is refused before what was accepted takes this share of it.
FILLED = 0.6
SENDERS = 4
CATALOG_KEY, TOKEN = "acme", "tok"
#: Longer than applying a full store takes, on a busy machine.
APPLIED_S = 60 + MAXMEMORY / 2**20

Entry = dict[str, Any]
#: Makes the entry of a number, from a source of randomness.
Make = Callable[[random.Random, int], Entry]


def word(draw: random.Random, length: int) -> str:
    return "".join(draw.choices(string.ascii_lowercase, k=length))


def boilerplate(_: random.Random, number: int) -> Entry:
    """Compresses to a hundredth."""
    return {"id": f"b{number}", "name": "Chair", "data": {"description": "Free returns within thirty days. " * 120}}


def tiny(_: random.Random, number: int) -> Entry:
    """Index and overhead take several times its text."""
    return {"id": f"t{number}", "name": "a"}


def long_id(_: random.Random, number: int) -> Entry:
    """Its id is stored three times."""
    return {"id": f"{number:0250}", "name": "a"}


def attributes(draw: random.Random, number: int) -> Entry:
    return {"id": f"a{number}", "name": "Chair", "data": {f"attribute_{n}": draw.randrange(10**4) for n in range(40)}}


def unique(draw: random.Random, number: int) -> Entry:
    """Hardly compresses: the payload takes as much as what it becomes."""
    return {"id": f"u{number}", "name": word(draw, 20), "data": {"text": word(draw, draw.randrange(200, 2000))}}


def rounded_up(_: random.Random, number: int) -> Entry:
    """Each value is just too long for a size in which memory is handed out."""
    return {"id": f"{number:08}", "name": "a", "data": {"text": "x" * 978}}


def giant(_: random.Random, number: int) -> Entry:
    return {"id": f"g{number}", "name": "a", "data": {"text": "giant" * 39_000}}


def variation(_: random.Random, number: int) -> Entry:
    """A variation has a link besides."""
    return {"id": f"v{number}", "item_id": f"t{number // 4}"}


class Text(NamedTuple):
    """A kind of text."""

    make: Make
    #: How many entries are in a batch.
    size: int
    kind: str = "items"


TEXTS = {
    "boilerplate": Text(boilerplate, 1000),
    "tiny": Text(tiny, 10_000),
    "long ids": Text(long_id, 5_000),
    "40 attributes": Text(attributes, 1000),
    "unique": Text(unique, 500),
    "rounded up": Text(rounded_up, 1000),
    "giant": Text(giant, 1),
    "variations": Text(variation, 10_000, "variations"),
}
#: The texts of a trial; each batch is of one of them.
TRIALS = {name: [text] for name, text in TEXTS.items()} | {"all of them": list(TEXTS.values())}
SHORT = ("boilerplate", "tiny", "all of them")


class Trial:
    """Fills the store of a fleet."""

    def __init__(self, fleet: Fleet, texts: Sequence[Text]) -> None:
        self.customer = Customer(fleet.urls[0], CATALOG_KEY, TOKEN)
        self._fleet, self._texts = fleet, texts
        self._numbers, self._guard = count(), threading.Lock()
        #: What was accepted: entries by kind, and batches.
        self.entries: Counter[str] = Counter()
        self.batches = 0
        #: The most that the store used.
        self.most = 0

    def fill(self) -> None:
        """Send batches from several threads until each of them was refused."""
        with ThreadPoolExecutor(SENDERS) as senders:
            for sender in [senders.submit(self._send, seed) for seed in range(SENDERS)]:
                sender.result()

    def _send(self, seed: int) -> None:
        draw, connection = random.Random(seed), open_connection(self.customer.url)
        headers = {"Authorization": self.customer.authorization, "Content-Type": "application/json"}
        while True:
            make, size, kind = draw.choice(self._texts)
            with self._guard:
                first = next(self._numbers) * 10_000
            body = json.dumps({kind: [make(draw, number) for number in range(first, first + size)]}).encode()
            answer = send_over(connection, "PUT", f"/v2/{kind}?key={CATALOG_KEY}", body=body, headers=headers)
            if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
                assert answer.json()["message"] == "The store is full. Please try again later."
                connection.close()
                return
            assert answer.status == HTTPStatus.OK, answer.body
            with self._guard:
                self.entries[kind] += size
                self.batches += 1

    def wait_applied(self) -> None:
        """Wait until every task has ended, and note the most memory that was used."""
        client = self._fleet.connect()

        def applied() -> bool:
            self.most = max(self.most, int(client.info("memory")["used_memory"]))
            counts = self.customer.counts()
            return not counts["QUEUED"] and not counts["IN_PROGRESS"]

        wait_until(applied, "everything is applied", timeout_s=APPLIED_S, every_s=0.02)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("memory")
    with running_fleet(
        folder, credentials=f"{CATALOG_KEY}:{TOKEN}", store={"maxmemory": MAXMEMORY}, queue_tasks=10_000,
        queue_bytes=2**40, log_level="WARNING",
    ) as fleet:  # fmt: skip
        yield fleet


@pytest.mark.parametrize("name", TRIALS if ALL else SHORT)
def test_a_filled_store_applies_what_it_accepted(name: str, fleet: Fleet, measured: Callable[[str], None]) -> None:
    """All of it, never above its memory, and nothing is refused before it is well filled."""
    client = fleet.connect()
    client.flushall()
    trial, worker = Trial(fleet, TRIALS[name]), fleet.workers[0]
    worker.signal(signal.SIGSTOP, group=True)
    try:
        trial.fill()
    finally:
        worker.signal(signal.SIGCONT, group=True)
    trial.wait_applied()
    peak = int(client.info("memory")["used_memory_peak"])
    measured(
        f"store of {MAXMEMORY >> 20} MB, {name}: {trial.entries.total()} entries took {trial.most / MAXMEMORY:.0%}, "
        f"the peak so far was {peak / MAXMEMORY:.0%}"
    )
    assert trial.customer.counts()["DONE"] == trial.batches
    for kind, entries in trial.entries.items():
        listed = trial.customer.call("GET", f"/v2/{kind}", num_results_per_page=1, page=1).ok()
        assert listed["total_count"] == entries
    assert peak <= MAXMEMORY
    assert trial.most >= FILLED * MAXMEMORY
