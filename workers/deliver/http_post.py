"""Send one HTTP POST to a user's URL: address checked, time limited, redirects not followed."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

from shared.outbox.public_addresses import is_public
from shared.waiting import cut_off

#: Most seconds for each step of a call, and for the whole call.
STEP_S = 5.0
CALL_S = 15.0
#: Most bytes read of the body of a response that is no success.
ANSWER_BYTES = 500


class NotDelivered(Exception):
    """There was no response, or no request was sent; the text says why."""


@dataclass(frozen=True, slots=True)
class PostAnswer:
    """The relevant parts of a response."""

    status: int
    #: The response's Retry-After in seconds, if it has one.
    retry_after_s: float | None = None
    #: Beginning of the body; empty after a success.
    body: str = ""


def post(url: str, headers: Mapping[str, str], body: bytes, *, private: bool) -> PostAnswer:
    """Call a URL and return the status of the answer, and what it begins with unless it is a 2xx; follow no redirect.

    Unless ``private`` is allowed, a host that leads to any private address is not called.  The connection goes to the
    first of the very addresses that were checked that takes it.  Raises NotDelivered.
    """
    parts = urlsplit(url)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    try:
        connection = _Connection(parts, _addresses(parts, private=private), context)
        with contextlib.closing(connection), cut_off(CALL_S, connection.cut):
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body=body, headers=dict(headers))
            answer = connection.getresponse()
            said = "" if 200 <= answer.status < 300 else _beginning(answer)
            return PostAnswer(answer.status, _seconds(answer.getheader("Retry-After")), said)
    except TimeoutError:
        raise NotDelivered("no answer in time") from None
    except (OSError, http.client.HTTPException) as error:
        raise NotDelivered(f"{type(error).__name__}: {error}") from error


def _beginning(answer: http.client.HTTPResponse) -> str:
    try:
        text = answer.read(ANSWER_BYTES).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return ""
    return "".join(each if each.isprintable() else " " for each in text).strip()


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _seconds(retry_after: str | None) -> float | None:
    """Read Retry-After: a number of seconds, or a date."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _addresses(parts: SplitResult, *, private: bool) -> list[str]:
    """Resolve the host of a URL, once, and check its addresses."""
    found = socket.getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
    addresses = [str(place[0]) for *_, place in found]
    if not private and not all(map(is_public, addresses)):
        raise NotDelivered("its host resolves to a private address, which is not called")
    return list(dict.fromkeys(addresses))


class _Connection(http.client.HTTPConnection):
    """A connection to one of the checked addresses."""

    def __init__(self, parts: SplitResult, addresses: Sequence[str], context: ssl.SSLContext | None) -> None:
        self.default_port = 443 if context else 80
        super().__init__(str(parts.hostname), _port(parts), timeout=STEP_S)
        self._addresses = addresses
        self._until = time.monotonic() + CALL_S
        self._context = context

    def connect(self) -> None:
        self.sock = self._first_that_answers()
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()

    def _first_that_answers(self) -> socket.socket:
        for address in self._addresses[:-1]:
            with contextlib.suppress(OSError):
                return self._connected(address)
        return self._connected(self._addresses[-1])

    def _connected(self, address: str) -> socket.socket:
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return socket.create_connection((address, self.port), min(STEP_S, left_s))

    def cut(self) -> None:
        """Abort the call, from another thread."""
        if self.sock is not None:
            with contextlib.suppress(OSError):
                # Not the TLS socket's own, which would talk.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
