"""One HTTP POST to somebody whom we were told to call: checked, bounded in time, never led elsewhere."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, urlsplit

from shared.addresses import is_public

#: Seconds for each step of a call, and for all of them together.
STEP_S = 5.0
CALL_S = 15.0


class NotDelivered(Exception):
    """There was no answer, or none was asked for; the text says why."""


def post(url: str, headers: Mapping[str, str], body: bytes, *, private: bool) -> int:
    """Call a URL and return the status of the answer, of which nothing else is read; redirects are not followed.

    Unless ``private`` is allowed, a host that leads to any private address is not called.  The connection goes to the
    very address that was checked.  Raises NotDelivered.
    """
    parts = urlsplit(url)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    try:
        connection = _Connection(parts, _address(parts, private=private), context)
        with contextlib.closing(connection), _cut_off(connection):
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body=body, headers=dict(headers))
            return connection.getresponse().status
    except TimeoutError:
        raise NotDelivered("no answer in time") from None
    except (OSError, http.client.HTTPException) as error:
        raise NotDelivered(f"{type(error).__name__}: {error}") from error


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _address(parts: SplitResult, *, private: bool) -> str:
    """Resolve the host of a URL, once, and check where it leads."""
    found = socket.getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
    addresses = [str(place[0]) for *_, place in found]
    if not private and not all(map(is_public, addresses)):
        raise NotDelivered("its host leads to a private address, and those are not called")
    return addresses[0]


class _Connection(http.client.HTTPConnection):
    """A connection to an address that was looked up and checked before."""

    def __init__(self, parts: SplitResult, address: str, context: ssl.SSLContext | None) -> None:
        self.default_port = 443 if context else 80
        super().__init__(str(parts.hostname), _port(parts), timeout=STEP_S)
        self._address = address
        self._context = context

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), STEP_S)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()

    def cut(self) -> None:
        """End whatever is under way, from another thread."""
        if self.sock is not None:
            with contextlib.suppress(OSError):
                # Not the TLS socket's own, which would talk.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


@contextlib.contextmanager
def _cut_off(connection: _Connection) -> Iterator[None]:
    """Bound a call as a whole: one that sends a byte a second would keep every step in time."""
    timer = threading.Timer(CALL_S, connection.cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
