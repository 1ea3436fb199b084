"""Calls to endpoints that misbehave end in time, and go nowhere else."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.receivers import http_endpoint
from workers import http_posts
from workers.http_posts import NotDelivered, post


@contextlib.contextmanager
def raw_server(answer: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """Take one connection and treat it in some way; yields the port."""
    over = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as taken:
            answer(taken, over)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join()


def drip(taken: socket.socket, over: threading.Event) -> None:
    """Send a little again and again: every single step is in time."""
    taken.sendall(b"HTTP/1.1")
    while not over.wait(0.05):
        taken.sendall(b" ")


def hold(taken: socket.socket, over: threading.Event) -> None:
    """Say nothing."""
    over.wait()


def babble(taken: socket.socket, over: threading.Event) -> None:
    """Say something that is not HTTP."""
    taken.sendall(b"220 mail.example\r\n")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("behave", [drip, hold, babble])
def test_whoever_answers_badly_is_left(
    scheme: str, behave: Callable[[socket.socket, threading.Event], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slowly, not at all, or with something else; TLS or not."""
    monkeypatch.setattr(http_posts, "STEP_S", 0.5)
    monkeypatch.setattr(http_posts, "CALL_S", 1.0)
    begun = time.monotonic()
    with raw_server(behave) as port, pytest.raises(NotDelivered):
        post(f"{scheme}://127.0.0.1:{port}/", {}, b"{}", private=True)
    assert time.monotonic() - begun < 5


def test_the_host_is_named_as_it_stands_in_the_url() -> None:
    """Although the address was looked up before."""
    with http_endpoint() as endpoint:
        port = endpoint.url.split(":")[2].split("/")[0]
        assert post(f"http://localhost:{port}/hook?x=1", {"A": "b"}, b"{}", private=True) == 204
        [call] = endpoint.calls
        assert (call.path, call.headers["host"], call.headers["a"]) == ("/hook?x=1", f"localhost:{port}", "b")
