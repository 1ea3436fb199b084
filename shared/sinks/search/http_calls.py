"""Calls of a search engine over HTTP: none hangs for long, and its errors are in our words."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import urllib3
from urllib3.connectionpool import HTTPConnectionPool, connection_from_url

from shared.sinks.destination import DestinationAway, DestinationRefuses
from shared.sinks.sinks import BadSink
from shared.waiting import cut_off

#: Seconds for a connection.
CONNECT_S = 5.0
#: As urllib3 names it.
HTTP_1_1 = 11
#: Seconds by which a call may be longer than its limit.
CUT_S = 0.5
#: Most bytes of an answer, and of one reading of it.
MOST_BYTES = 512 * 1024 * 1024
READ_BYTES = 1024 * 1024
#: Most characters that are told of an error.
REASON_LENGTH = 300
#: Statuses with which an engine says that it may work later.
BUSY = (408, 425, 429)


class EngineUrl(NamedTuple):
    """The parts of the URL of a search engine."""

    base: str
    user: str
    password: str
    options: dict[str, str]


def read_engine_url(url: str, options: Collection[str]) -> EngineUrl:
    """Read ``engine+https://user:password@host:port?option=value``.  Raises BadSink, without the password."""
    try:
        parts: SplitResult = urlsplit(url)
        name, port = parts.hostname, parts.port
        given = parse_qs(parts.query, strict_parsing=True, keep_blank_values=True) if parts.query else {}
    except ValueError:
        name, port, given = None, None, {}
    scheme = parts.scheme.partition("+")[2] if name else ""
    if not name or parts.path not in ("", "/") or parts.fragment:
        raise BadSink(f"a URL of a search engine is {url.partition('://')[0]}://user:password@host:port")
    for option in given:
        if option not in options:
            raise BadSink(f"a URL has no option {option!r}; there are {', '.join(options)}")
    host = f"[{name}]" if ":" in name else name
    base = f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}"
    values = {option: values[-1] for option, values in given.items()}
    return EngineUrl(base, unquote(parts.username or ""), unquote(parts.password or ""), values)


def basic(user: str, password: str) -> str:
    """Write the header for a user and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Said(NamedTuple):
    """What an engine answered."""

    status: int
    body: bytes

    def json(self) -> Any:
        try:
            # Numbers of any size pass here.
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise DestinationAway(f"this is no answer of a search engine: {self.body[:80]!r}") from None


class HttpCalls:
    """Connections to one server."""

    def __init__(self, base: str, headers: Mapping[str, str], *, timeout_s: float) -> None:
        self._headers = dict(headers)
        self._timeout_s = timeout_s
        self._until: float | None = None
        # Whether a call is made again is decided by those who know what it does.
        self._pool: HTTPConnectionPool = connection_from_url(base, maxsize=1, retries=False)
        self._open: Any = self._pool.ConnectionCls
        self._sock: socket.socket | None = None
        pool: Any = self._pool
        pool.ConnectionCls = self._opened

    @contextlib.contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Bound all calls made inside."""
        before, self._until = self._until, time.monotonic() + seconds
        try:
            yield
        finally:
            self._until = before

    def _opened(self, **options: Any) -> Any:
        connection = self._open(**options)
        connect = connection.connect

        def connected() -> None:
            connect()
            # By itself, as a connection forgets it when the answer is going to close it.
            self._sock = connection.sock

        connection.connect = connected
        return connection

    def _cut(self) -> None:
        if self._sock is not None:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._sock.fileno())) as same:
                same.shutdown(socket.SHUT_RDWR)

    @property
    def left_s(self) -> float:
        """Seconds that are left for calls."""
        return self._timeout_s if self._until is None else self._until - time.monotonic()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        lines: bool = False,
        headers: Mapping[str, str] | None = None,
        allowed: Collection[int] = (),
    ) -> Said:
        """Call, and return a success or one of the statuses that are ``allowed``; ``lines``: the body is NDJSON.

        Raises DestinationAway, DestinationRefuses.
        """
        if (left_s := self.left_s) <= 0:
            raise DestinationAway("the search engine did not answer in time")
        until = time.monotonic() + left_s
        kind = "application/x-ndjson" if lines else "application/json"
        try:
            with cut_off(left_s + CUT_S, self._cut):
                answer = self._pool.request(
                    method,
                    path,
                    body=body,
                    headers={**self._headers, "Content-Type": kind, **(headers or {})},
                    timeout=urllib3.Timeout(connect=min(CONNECT_S, left_s), read=left_s),
                    redirect=False,
                    preload_content=False,
                )
                _check_whole(method, answer)
                said = Said(answer.status, self._read(answer, until))
        except urllib3.exceptions.HTTPError as problem:
            # The texts name hosts and paths, never passwords: those are in headers.
            raise DestinationAway(_short(str(problem)) or type(problem).__name__) from problem
        if 200 <= said.status < 300 or said.status in allowed:
            return said
        if said.status in BUSY or said.status >= 500:
            raise DestinationAway(f"{said.status}: {reason(said)}")
        raise DestinationRefuses(f"{said.status}: {reason(said)}")

    def _read(self, answer: urllib3.BaseHTTPResponse, until: float) -> bytes:
        """Read an answer as it comes: the limits are for all of it.  Raises DestinationAway."""
        parts, size, more = list[bytes](), 0, True
        try:
            while more:
                part = answer.read1(READ_BYTES)
                parts.append(part)
                size, more = size + len(part), bool(part)
                # Also at its end, which may be where it was cut off.
                left_s = until - time.monotonic()
                if left_s <= 0:
                    raise DestinationAway("the search engine did not answer in time")
                if size > MOST_BYTES:
                    raise DestinationAway(f"the search engine answers more than {MOST_BYTES} bytes")
                if more and self._sock is not None:
                    self._sock.settimeout(left_s)
        except BaseException:
            answer.close()
            raise
        finally:
            answer.release_conn()
        return b"".join(parts)

    def close(self) -> None:
        self._pool.close()


#: Headers that tell where an answer ends.
_LENGTHS = ("content-length", "transfer-encoding")


def _check_whole(method: str, answer: urllib3.BaseHTTPResponse) -> None:
    """Raise DestinationAway if an answer ended within its headers, and so would seem to be empty."""
    # One without a length ends with its connection, and says so.
    closes = "close" in answer.headers.get("connection", "").lower()
    has_end = closes or answer.version < HTTP_1_1 or any(name in answer.headers for name in _LENGTHS)
    if not has_end and method != "HEAD" and answer.status not in (204, 304):
        answer.close()
        raise DestinationAway("the answer of the search engine was cut off")


def reason(said: Said) -> str:
    """Return what an engine says about a failure."""
    try:
        found = json.loads(said.body)
    except (ValueError, RecursionError):
        found = None
    told = found.get("error", found.get("message")) if isinstance(found, dict) else None
    if isinstance(told, dict):
        told = told.get("reason") or told.get("type")
    return _short(str(told or said.body.decode(errors="replace")))


def _short(text: str) -> str:
    return " ".join(text.split())[:REASON_LENGTH]
