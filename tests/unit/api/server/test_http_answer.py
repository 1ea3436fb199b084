"""An answer is framed as the version of its request allows."""

from __future__ import annotations

import json

import pytest

from api.server.http_answer import HttpAnswer, refusal


def framed(pieces: list[bytes], *, is_head: bool = False, version: int = 1, length: int | None = None) -> bytes:
    answer = HttpAnswer(is_head=is_head, version=version, keep=True)
    answer.start("200 OK", [] if length is None else [("Content-Length", str(length))])
    out = [answer.begin(pieces, 0)]
    while answer.pending:
        out += answer.take()
    return b"".join(out)


def test_a_known_length_goes_as_it_is_and_the_connection_stays() -> None:
    assert framed([b"ab", b"", b"c"], length=3) == (
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
        b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: keep-alive\r\n\r\nabc"
    )


def test_an_unknown_length_goes_in_chunks_or_ends_with_the_connection() -> None:
    assert framed([b"ab", b"", b"c"]).endswith(b"\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
    old = framed([b"ab"], version=0)
    assert b"Connection: close" in old
    assert b"chunked" not in old


def test_an_answer_to_head_has_no_body() -> None:
    assert framed([b"abc"], is_head=True, length=3).endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_without_a_body_has_no_framing(status: str) -> None:
    answer = HttpAnswer(is_head=False, version=1, keep=True)
    answer.start(status, [])
    head = answer.begin([], 0)
    assert b"chunked" not in head
    assert answer.take() == []


def test_a_refusal_is_json_and_closes() -> None:
    head, _, body = refusal(503, "Too many.", "Retry-After: 10").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"Connection: close\r\nRetry-After: 10" in head
    assert json.loads(body) == {"message": "Too many."}
