"""A TCP proxy in front of the store, or the ingress, that breaks connections at the worst moment."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

#: Seconds in which the server answers anything.
ANSWER_S = 5.0


class Proxy:
    """Passes bytes between clients and a server, until it is told to break a connection."""

    def __init__(self, upstream: Path | tuple[str, int]) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"redis://{self.address}/0"
        self._lose_reply_to: bytes | None = None
        self._cut_before: bytes | None = None
        self._closed = False
        #: Connections that were broken on purpose.
        self.broken = 0
        threading.Thread(target=self._listen, name="proxy", daemon=True).start()

    def lose_reply_to(self, marker: bytes) -> None:
        """Once: pass on the request that holds these bytes, keep its answer, and break the connection."""
        self._lose_reply_to = marker

    def cut_before(self, marker: bytes) -> None:
        """Once: pass on a request up to these bytes only, break the connection, and take no others."""
        self._cut_before = marker

    def close(self) -> None:
        self._closed = True
        # Closing alone would leave the thread in `accept`, which would take one more.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), name="proxied", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        family = socket.AF_UNIX if isinstance(self._upstream, Path) else socket.AF_INET
        with client, socket.socket(family) as store, contextlib.suppress(OSError):
            store.connect(str(self._upstream) if isinstance(self._upstream, Path) else self._upstream)
            replies = threading.Thread(target=_pass_on, args=(store, client), name="replies", daemon=True)
            replies.start()
            while request := client.recv(1 << 20):
                if self._cut_before and self._cut_before in request:
                    store.sendall(request[: request.index(self._cut_before)])
                    self.close()
                    break
                if self._lose_reply_to and self._lose_reply_to in request:
                    self._lose_reply_to = None
                    # From here on the client hears nothing; the server has done it when it has answered.
                    client.shutdown(socket.SHUT_WR)
                    store.sendall(request)
                    break
                store.sendall(request)
            else:
                return
            self.broken += 1
            store.shutdown(socket.SHUT_WR)
            replies.join(ANSWER_S)


def _pass_on(store: socket.socket, client: socket.socket) -> None:
    """Pass answers on as long as somebody hears them; returns when the server has closed."""
    heard = True
    with contextlib.suppress(OSError):
        while reply := store.recv(1 << 20):
            if heard:
                try:
                    client.sendall(reply)
                except OSError:
                    heard = False


@contextlib.contextmanager
def proxied(upstream: Path | tuple[str, int]) -> Iterator[Proxy]:
    """Run a proxy for a while."""
    proxy = Proxy(upstream)
    try:
        yield proxy
    finally:
        proxy.close()
