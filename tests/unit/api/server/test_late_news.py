"""News of a socket that comes late, when another connection has its descriptor, does that one no harm."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from api.server.environ import base_environ
from api.server.hosted_app import HostedApp, Verdict
from api.server.reception import Reception
from api.server.request_loop import RequestLoop
from tests.unit.api.server.few import LIMITS


class Door:
    """A listener with one client; its application counts its calls."""

    def __init__(self, listener: socket.socket) -> None:
        self.calls = 0
        hosted = HostedApp(self._answer, lambda _environ: Verdict.GATHER, (), LIMITS, lambda _address: False)
        self.reception = Reception(hosted, None)
        base = base_environ("http", "127.0.0.1", "80", multiprocess=False)
        self.loop = RequestLoop(hosted, self.reception, base, threads=1, hand_over=lambda job: job())
        self.client = socket.create_connection(listener.getsockname())
        listener.setblocking(False)
        self.reception.accept(listener)
        [connection] = self.reception.waiting()
        self.fd = connection.fd

    def _answer(self, _environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.calls += 1
        start("200 OK", [("Content-Length", "0")])
        return []

    def report_gone(self) -> None:
        """What a thread does that learned of a hang-up, however long ago."""
        self.reception.note(self.fd, hung_up=True, gone=True)
        self.loop.run_turns()


@pytest.fixture
def door() -> Iterator[Door]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        door = Door(listener)
        with door.client:
            yield door


def test_a_request_is_answered_though_the_descriptor_was_reported_gone(door: Door) -> None:
    door.client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    door.report_gone()
    assert door.client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")


def test_the_next_request_is_answered_as_well(door: Door) -> None:
    door.report_gone()
    test_a_request_is_answered_though_the_descriptor_was_reported_gone(door)


def test_nothing_is_done_for_a_client_that_is_gone(door: Door) -> None:
    door.client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    door.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    door.client.close()
    door.report_gone()
    assert door.calls == 0
    assert door.reception.count == 0
