"""Those who send: each on a thread and a connection of its own, for catalogs that are its alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.benchmarks.http_client import Connection, Request
from tests.benchmarks.systems import System

#: Makes the requests of one sender, one after the other; ends when it has sent enough.
Requests = Iterable[Request]


@dataclass
class Sent:
    """What a group of senders did."""

    accepted: int = 0
    #: Answers 429, each followed by the wait it asked for.
    refused: int = 0
    #: What went wrong on one of the threads.
    problems: list[BaseException] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def add(self, accepted: int, refused: int) -> None:
        with self._guard:
            self.accepted += accepted
            self.refused += refused


def send_all(system: System, senders: Sequence[Requests]) -> Sent:
    """Let senders run until each is through.  Closed loops: a sender sends when the last answer is there."""
    with Senders(system, senders) as running:
        pass
    return running.sent


class Senders:
    """Senders that run; leaving the context waits for them.  Raises what went wrong with one of them."""

    def __init__(self, system: System, senders: Sequence[Requests]) -> None:
        self.sent = Sent()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(system, requests)) for requests in senders]

    def __enter__(self) -> Senders:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()
        if self.sent.problems:
            raise self.sent.problems[0]

    def stop(self) -> None:
        """End each after the request at hand."""
        self._stop.set()

    def _run(self, system: System, requests: Requests) -> None:
        try:
            with Connection(system.address) as connection:
                for request in requests:
                    if self._stop.is_set():
                        return
                    self.sent.add(1, self._send(connection, request))
        except BaseException as problem:
            self.sent.problems.append(problem)

    def _send(self, connection: Connection, request: Request) -> int:
        """Send until accepted; returns how often that was refused."""
        refused = 0
        while (answer := connection.send(request)).status == 429:
            refused += 1
            if self._stop.wait(answer.retry_after_s or 1):
                break
        if answer.status not in (200, 429):
            raise RuntimeError(f"status {answer.status}: {answer.body[:300]!r}")
        return refused


def for_seconds(seconds: float, make: Callable[[int], Request]) -> Iterator[Request]:
    """Make requests, numbered, until the time is up."""
    end, number = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        yield make(number)
        number += 1


def paced(interval_s: float, requests: Iterable[Request], *, first_s: float = 0.0) -> Iterator[Request]:
    """Let requests go at even intervals; one that is late goes at once, and the pace is kept up."""
    start, pause = time.perf_counter() + first_s, threading.Event()
    for number, request in enumerate(requests):
        if (wait_s := start + number * interval_s - time.perf_counter()) > 0:
            pause.wait(wait_s)
        yield request
