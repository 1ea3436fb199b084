"""Calls to endpoints that misbehave end in time, and go nowhere else."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.receivers import http_endpoint
from workers.deliver import http_post
from workers.deliver.http_post import NotDelivered, PostAnswer, post


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
    monkeypatch.setattr(http_post, "STEP_S", 0.5)
    monkeypatch.setattr(http_post, "CALL_S", 1.0)
    begun = time.monotonic()
    with raw_server(behave) as port, pytest.raises(NotDelivered):
        post(f"{scheme}://127.0.0.1:{port}/", {}, b"{}", private=True)
    assert time.monotonic() - begun < 20


def test_the_host_is_named_as_it_stands_in_the_url() -> None:
    """Although the address was looked up before."""
    with http_endpoint() as endpoint:
        port = endpoint.url.split(":")[2].split("/")[0]
        assert post(f"http://localhost:{port}/hook?x=1", {"A": "b"}, b"{}", private=True).status == 204
        [call] = endpoint.calls
        assert (call.path, call.headers["host"], call.headers["a"]) == ("/hook?x=1", f"localhost:{port}", "b")


def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until one takes the connection."""
    with http_endpoint() as endpoint:
        port = int(endpoint.url.split(":")[2].split("/")[0])
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: _found(found, host, *rest, **more))
        assert post(f"http://shop.example:{port}/hook", {}, b"{}", private=True).status == 204


_resolve = socket.getaddrinfo


def _found(found: Any, host: str, *rest: Any, **more: Any) -> Any:
    return found if host == "shop.example" else _resolve(host, *rest, **more)


@pytest.mark.parametrize(
    ("header", "seconds"), [("120", 120), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("soon", None), ("-1", None)]
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str, seconds: float | None) -> None:
    with http_endpoint() as endpoint:
        endpoint.answers[:] = [503]
        endpoint.headers["Retry-After"] = header
        assert post(endpoint.url, {}, b"{}", private=True) == PostAnswer(503, seconds)
