"""A TCP link to the store, or to a destination of sinks, that can be cut, slowed, darkened and shut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

#: Ends a fault that lasts.
Heal = Callable[[], object]
#: Requests and answers are cut where a script is called: anything else is not worth it.
SCRIPT = b"EVALSHA"


class Link:
    """Passes bytes between members of the fleet and a server, and breaks as told.

    What passed before a break was passed whole, so the store may have done what nobody ever heard of.
    """

    def __init__(self, upstream: Path | tuple[str, int], *, address: str = "127.0.0.1") -> None:
        self._upstream = upstream
        self._listener = socket.create_server((address, 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._light = threading.Event()
        self._light.set()
        self._never = threading.Event()
        self._delay_s = 0.0
        self._refuses = False
        self._guard = threading.Lock()
        self._open: set[socket.socket] = set()
        self._requests_to_cut = 0
        self._replies_to_lose = 0
        threading.Thread(target=self._listen, name="link", daemon=True).start()

    # -- what can be done to it -----------------------------------------------------------------------------------

    def cut_requests(self, count: int) -> None:
        """Pass on the first half of the next requests that call a script, then break their connections."""
        with self._guard:
            self._requests_to_cut += count

    def lose_replies(self, count: int) -> None:
        """Pass on the next requests that call a script, then break their connections before the answer."""
        with self._guard:
            self._replies_to_lose += count

    def reset(self) -> None:
        """Break all connections."""
        with self._guard:
            for each in list(self._open):
                _shut(each)

    def darken(self) -> None:
        """Let nothing pass, and break nothing: both sides believe that the other is there."""
        self._light.clear()

    def refuse(self) -> None:
        """Break all connections, and each new one at once."""
        self._refuses = True
        self.reset()

    def slow_down(self, delay_s: float) -> None:
        """Hold everything up for a moment."""
        self._delay_s = delay_s

    def lead_to(self, upstream: Path | tuple[str, int]) -> None:
        """Connect to another place from now on."""
        self._upstream = upstream

    def heal(self) -> None:
        """Let everything pass at once."""
        self._refuses = False
        self._delay_s = 0.0
        self._light.set()
        with self._guard:
            self._requests_to_cut = self._replies_to_lose = 0

    def close(self) -> None:
        self.heal()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), name="linked", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        upstream = self._upstream
        family = socket.AF_UNIX if isinstance(upstream, Path) else socket.AF_INET
        with client, socket.socket(family) as store:
            try:
                store.connect(str(upstream) if isinstance(upstream, Path) else upstream)
            except OSError:
                return
            if self._refuses:
                return
            with self._guard:
                self._open |= {client, store}
            answers = threading.Thread(target=self._pass_answers, args=(store, client), name="answers", daemon=True)
            answers.start()
            with contextlib.suppress(OSError):
                self._pass_requests(client, store)
            _shut(client)
            # The server may still be at it: it has to see all that was sent before it sees the end.
            with contextlib.suppress(OSError):
                store.shutdown(socket.SHUT_WR)
            answers.join()
            with self._guard:
                self._open -= {client, store}

    def _pass_requests(self, client: socket.socket, store: socket.socket) -> None:
        while request := client.recv(1 << 16):
            self._hold_up()
            if SCRIPT in request:
                if self._take("_requests_to_cut"):
                    store.sendall(request[: len(request) // 2])
                    return
                if self._take("_replies_to_lose"):
                    _shut(client)
                    store.sendall(request)
                    return
            store.sendall(request)

    def _pass_answers(self, store: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while answer := store.recv(1 << 16):
                self._hold_up()
                with contextlib.suppress(OSError):
                    client.sendall(answer)
        _shut(client)

    def _hold_up(self) -> None:
        self._light.wait()
        if self._delay_s:
            self._never.wait(self._delay_s)

    def _take(self, what: str) -> bool:
        with self._guard:
            left: int = getattr(self, what)
            if left:
                setattr(self, what, left - 1)
            return bool(left)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
