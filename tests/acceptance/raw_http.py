"""Requests that no HTTP library would send."""

from __future__ import annotations

import http.client
import socket
import time
from urllib.parse import urlsplit

from tests.acceptance.customer import ANSWER_TIMEOUT_S, Answer


def send_bytes(url: str, request: bytes, *, hang_up: bool = False) -> Answer:
    """Send these very bytes and read the answer; ``hang_up`` says that no more will come."""
    address = urlsplit(url)
    assert address.hostname
    start = time.monotonic()
    with socket.create_connection((address.hostname, address.port), timeout=ANSWER_TIMEOUT_S) as connection:
        connection.sendall(request)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        body = answer.read()
    return Answer(answer.status, answer.headers, body, time.monotonic() - start)
