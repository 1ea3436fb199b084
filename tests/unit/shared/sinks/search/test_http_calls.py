"""Limits of calls are for whole answers, however these come."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from shared.sinks.destination import DestinationAway
from shared.sinks.search import http_calls
from shared.sinks.search.http_calls import HttpCalls
from tests.support.scripted_http import ScriptedServer

BYTES = 1000


class Dripping:
    """A server that sends an answer byte by byte, after a beginning that it sends at once; or only that."""

    def __init__(self, at_once: bytes, *, drips: bool = True) -> None:
        self._at_once = at_once
        self._drips = drips
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.sent = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        there, _ = self._listener.accept()
        with there:
            there.recv(65536)
            there.sendall(self._at_once)
            while self._drips and self.sent < BYTES and not self._stopped.wait(0.02):
                try:
                    there.sendall(b"1")
                except OSError:
                    return
                self.sent += 1

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(10)
        self._listener.close()


@pytest.fixture
def dripping(request: pytest.FixtureRequest) -> Iterator[Dripping]:
    server = Dripping(request.param)
    yield server
    server.stop()


@pytest.mark.parametrize(
    "dripping",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BYTES,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nX: ",
        b"",
    ],
    ids=["body", "chunk", "chunk of the last answer", "header", "header of a connection that is kept", "status"],
    indirect=True,
)
def test_an_answer_that_drips_is_given_up_in_time(dripping: Dripping, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever of it drips: a thread of the worker would wait for it without end."""
    monkeypatch.setattr(http_calls, "CUT_S", 0.1)
    calls = HttpCalls(dripping.url, {}, timeout_s=30)
    with calls.limit(1.0), pytest.raises(DestinationAway):
        calls.ask("GET", "/")
    assert dripping.sent < BYTES
    calls.close()


@pytest.mark.parametrize(
    "at_once",
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nX: y",
        b"HTTP/1.1 200 OK\r\nX: y\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n",
    ],
)
def test_an_answer_that_ends_within_its_headers_is_not_an_empty_one(at_once: bytes) -> None:
    """Whatever it would have had would seem to be gone."""
    server = Dripping(at_once, drips=False)
    calls = HttpCalls(server.url, {}, timeout_s=30)
    with pytest.raises(DestinationAway, match="cut off"):
        calls.ask("GET", "/collections/products/documents/export")
    calls.close()
    server.stop()


def test_an_answer_that_ends_with_its_connection_is_whole_if_it_says_so() -> None:
    server = Dripping(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", drips=False)
    calls = HttpCalls(server.url, {}, timeout_s=30)
    assert calls.ask("GET", "/").body == b"{}"
    calls.close()
    server.stop()


def test_an_answer_that_is_too_long_is_given_up_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScriptedServer(lambda asked: (200, b"x" * (5000 if asked.path == "/long" else 10)))
    monkeypatch.setattr(http_calls, "MOST_BYTES", 100)
    calls = HttpCalls(server.url, {}, timeout_s=30)
    with pytest.raises(DestinationAway, match="more than 100 bytes"):
        calls.ask("GET", "/long")
    assert calls.ask("GET", "/short").body == b"x" * 10
    calls.close()
    server.stop()
