"""A thread of the ingress stays with a connection that has more to send, but never while others wait for a thread."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.workers.gthread import ThreadWorker

from deploy.lingering import LingeringWorker

#: What gunicorn says of a connection that has sent nothing yet.
DEFERRED = object()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    client, server = socket.socketpair()
    with client, server:
        yield client, server


def handle(
    monkeypatch: pytest.MonkeyPatch, server: socket.socket, *outcomes: Any, alive: bool = True, queue: int = 0
) -> Any:
    """Let a worker handle a connection whose requests come out like that; returns what is left, and its answer."""
    left = list(outcomes)
    worker = LingeringWorker.__new__(LingeringWorker)
    worker.alive, worker.tpool = alive, ThreadPoolExecutor(1)
    for _ in range(queue):
        worker.tpool._work_queue.put(None)
    monkeypatch.setattr(ThreadWorker, "handle", lambda *_: left.pop(0))
    return left, worker.handle(SimpleNamespace(sock=server))


def test_a_request_that_is_there_is_handled_at_once(monkeypatch: Any, pair: Any) -> None:
    pair[0].send(b"GET")
    assert handle(monkeypatch, pair[1], True, True, False, True) == ([True], False)


def test_a_silent_connection_goes_back(monkeypatch: Any, pair: Any) -> None:
    assert handle(monkeypatch, pair[1], True, False) == ([False], True)


@pytest.mark.parametrize("how", [{"queue": 1}, {"alive": False}])
def test_nobody_lingers_while_others_wait_or_the_process_stops(monkeypatch: Any, pair: Any, how: Any) -> None:
    pair[0].send(b"GET")
    assert handle(monkeypatch, pair[1], True, False, **how) == ([False], True)


def test_what_is_for_the_main_thread_is_left_to_it(monkeypatch: Any, pair: Any) -> None:
    pair[0].send(b"GET")
    assert handle(monkeypatch, pair[1], DEFERRED, True) == ([True], DEFERRED)
