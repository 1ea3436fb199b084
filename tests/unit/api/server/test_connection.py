"""A connection: what it takes in, until when it may, and how it sends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import gunicorn_h1c
import pytest

from api.server.body import CutShort, StreamedBody
from api.server.connection import Connection
from api.server.hosted_app import Verdict
from tests.unit.api.server.few import LIMITS

HEAD = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Connection]]:
    client, server = socket.socketpair()
    server.setblocking(False)
    connection = Connection(server, "", LIMITS, 0)
    with client, server:
        yield client, connection


def arrive(pair: Any, data: bytes, now: float) -> Connection:
    client, connection = pair
    client.sendall(data)
    assert connection.receive(now)
    return connection


def test_a_head_has_its_time_once_however_it_drips(pair: Any) -> None:
    assert arrive(pair, HEAD, 1).deadline == 11
    assert arrive(pair, b"X: " + b"y" * 2000, 9).deadline == 11


def test_a_body_has_its_time_again_for_each_stretch_of_bytes(pair: Any) -> None:
    assert arrive(pair, HEAD + b"\r\n", 0).deadline == 10
    assert arrive(pair, b"x" * 500, 5).deadline == 10
    assert arrive(pair, b"x" * 500, 6).deadline == 16
    assert arrive(pair, b"x" * 900, 7).deadline == 16


def test_what_is_pipelined_behind_a_request_is_the_next_one(pair: Any) -> None:
    c = arrive(pair, b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n", 0)
    assert (c.whole, c.parser.path) == (True, b"/a")
    assert c.next_request(1)
    assert (c.whole, c.parser.path) == (True, b"/b")
    assert not c.next_request(2)
    assert c.deadline == 32


def test_the_end_is_noticed(pair: Any) -> None:
    pair[0].close()
    assert pair[1].receive(0)
    assert pair[1].ended


@pytest.mark.parametrize("first", [b"\x16\x03\x01\x02", b"\0"])
def test_a_first_byte_that_begins_no_request_is_refused_at_once(pair: Any, first: bytes) -> None:
    pair[0].sendall(first)
    with pytest.raises(gunicorn_h1c.ParseError):
        pair[1].receive(0)


def test_one_turn_takes_a_bounded_share_and_asks_for_another(pair: Any) -> None:
    client, c = pair
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
    client.setblocking(False)
    sent = client.send(HEAD.replace(b"3000", b"90000000") + b"\r\n" + b"x" * (6 << 20))
    c.news = False
    while not c.news and c.body_bytes < sent // 2:
        c.receive(0)
    assert c.body_bytes <= 2 << 20


def test_an_answer_waits_for_a_reader_and_is_counted_until_it_is_sent(pair: Any) -> None:
    client, c = pair[0], arrive(pair, b"GET / HTTP/1.1\r\n\r\n", 0)
    c.out = [b"a" * 1_000_000, b"b" * 1_000_000]
    assert not c.flush(1)
    assert 0 < c.held <= 2_000_000
    got = 0
    while got < 2_000_000:
        got += len(client.recv(1 << 20))
        done = c.flush(2)
    assert done
    assert c.held == 0


def test_a_body_that_nobody_reads_is_thrown_away_within_its_time(pair: Any) -> None:
    c = arrive(pair, HEAD + b"\r\n" + b"x" * 10, 0)
    c.discard(5)
    assert arrive(pair, b"x" * 2990, 1).whole
    assert (c.body, c.held, c.deadline) == ([], 0, 5)


def test_a_streamed_body_is_read_to_its_end_and_no_further(pair: Any) -> None:
    c = arrive(pair, HEAD + b"\r\n" + b"x" * 10, 0)
    c.verdict = Verdict.STREAM
    body = StreamedBody(c, 10)
    assert body.read(4) == b"x" * 4
    assert body.read(100) == b"x" * 6
    pair[0].sendall(b"y" * 2990)
    assert sum(len(body.read(1000)) for _ in range(3)) == 2990
    assert body.read(1000) == b""


@pytest.mark.parametrize("ends", [True, False])
def test_a_streamed_body_that_ends_early_or_stands_still_is_cut_short(pair: Any, ends: bool) -> None:
    c = arrive(pair, HEAD + b"\r\n", 0)
    c.verdict = Verdict.STREAM
    if ends:
        pair[0].close()
    with pytest.raises(CutShort):
        StreamedBody(c, 10 if ends else 0.01).read(10)
