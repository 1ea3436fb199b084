"""``wsgi.input`` for bodies that have not arrived completely."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.server.connection import Connection


class CutShort(OSError):
    """The body is incomplete, or was never read."""


class NoBody:
    """A body that the application must not read."""

    def read(self, size: int = -1) -> bytes:
        """Raise CutShort."""
        raise CutShort


class StreamedBody:
    """A body that is read as it arrives; each read waits until the deadline of its connection at most."""

    def __init__(self, connection: Connection, timeout_s: float) -> None:
        self._connection = connection
        #: Seconds that the client has left; they do not run while the application works.
        self._left_s = timeout_s

    def read(self, size: int = -1) -> bytes:
        """Read some bytes; none at the end.  Raises CutShort if the client is too slow or gone."""
        c = self._connection
        c.deadline = time.monotonic() + self._left_s
        while not c.body:
            if c.whole:
                return b""
            if c.ended:
                raise CutShort
            self._await(c)
        self._left_s = c.deadline - time.monotonic()
        piece = c.body[0]
        if size < 0 or len(piece) <= size:
            del c.body[0]
        else:
            c.body[0], piece = piece[size:], piece[:size]
        c.body_bytes -= len(piece)
        return piece

    def _await(self, c: Connection) -> None:
        now = time.monotonic()
        if c.receive(now):
            return
        if now > c.deadline:
            raise CutShort
        poll = select.poll()
        poll.register(c.fd, select.POLLIN)
        poll.poll(1 + (c.deadline - now) * 1000)
