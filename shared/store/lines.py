"""Many calls of one thread to the store under way at once, on one connection to each server.

The thread is one that greenlets share (`shared.elsewhere`).  A call that is made within `together` is sent at once, and
its greenlet waits for the replies while the thread goes on with others.  A call that is made otherwise, and one whose
line breaks, is made as anywhere else, by another thread.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import hiredis
import redis
from greenlet import getcurrent, greenlet

from shared.elsewhere import elsewhere, shared_thread, wait_here

#: Bytes per read; the replies to small calls are a few hundred.
_READ_BYTES = 65_536

#: Bytes of a call from which on it is made elsewhere, and of all that may be on their way: what the kernel does not
#: take at once breaks the line.
LONG_CALL_BYTES = 65_536
_SEND_BYTES = 1024 * 1024

#: Replies of a server that does not do this now, or not any more: the call is made in the usual way, which knows how to
#: find another server.
_NOT_HERE = (redis.ConnectionError, redis.ReadOnlyError)

#: What the reader returns for a reply that has not arrived completely.
_NOT_YET = object()

#: A call of this context may wait together with those of others.
_may_wait: ContextVar[bool] = ContextVar("may_wait", default=False)


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Let the calls within wait together with those of other requests, whose replies come behind theirs.

    So the server must not take its time over them, and the caller must not hold a lock.
    """
    token = _may_wait.set(True)
    try:
        yield
    finally:
        _may_wait.reset(token)


class _LinesHere(threading.local):
    lines: Lines | None = None


_here = _LinesHere()


def lines_for_call() -> Lines | None:
    """Return the lines that the call at hand may use; None if it is made as anywhere else."""
    return _here.lines if _may_wait.get() and shared_thread() is not None else None


@dataclass(slots=True)
class _Waiting:
    """A call that was sent."""

    caller: greenlet
    wanted: int
    until: float
    replies: list[Any] = field(default_factory=list)


class Line:
    """A connection and the calls that wait on it, in the order in which they were sent."""

    def __init__(self, connection: Any) -> None:
        """Take a connection of redis-py whose socket does not block."""
        self._connection = connection
        self._sock: socket.socket = connection._sock
        self._reader = hiredis.Reader(
            protocolError=redis.InvalidResponse, replyError=connection._parser.parse_error, notEnoughData=_NOT_YET
        )
        self.fd = self._sock.fileno()
        self._waiting: deque[_Waiting] = deque()

    @property
    def patient_until(self) -> float | None:
        """When the call that waits longest has waited too long; None if none waits."""
        return self._waiting[0].until if self._waiting else None

    def exchange(self, data: bytes, replies: int) -> list[Any]:
        """Send commands; the calling greenlet waits for so many replies, error replies among them.

        Raises redis.ConnectionError if the line breaks, redis.TimeoutError if no answer comes in time.
        """
        try:
            sent = self._sock.send(data)
        except OSError as error:
            raise redis.ConnectionError(f"cannot send: {error}") from error
        if sent < len(data):
            # The server has not read what was sent for long: as good as broken, since half a command is on its way.
            raise redis.ConnectionError("the server takes no more")
        self._waiting.append(_Waiting(getcurrent(), replies, time.monotonic() + self._connection.socket_timeout))
        found: list[Any] = wait_here()
        return found

    def read(self) -> None:
        """Let the callers go on whose replies have arrived.  Raises redis.RedisError if the line breaks."""
        while True:
            try:
                data = self._sock.recv(_READ_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                raise redis.ConnectionError(f"cannot read: {error}") from error
            if not data:
                raise redis.ConnectionError("the server closed the connection")
            self._reader.feed(data)
            while self._waiting and self._is_answered(self._waiting[0]):
                answered = self._waiting.popleft()
                answered.caller.switch(answered.replies)
            if len(data) < _READ_BYTES and not self._waiting:
                return  # that was all; where somebody waits, the end may have come with it, which is not reported again

    def _is_answered(self, call: _Waiting) -> bool:
        while len(call.replies) < call.wanted:
            reply = self._reader.gets()
            if reply is _NOT_YET:
                return False
            if isinstance(reply, hiredis.PushNotification):
                continue  # the server tells of something; nobody has asked
            if isinstance(reply, _NOT_HERE):
                raise redis.ConnectionError(str(reply))
            call.replies.append(reply)
        return True

    def close(self, error: redis.RedisError) -> None:
        """Close the connection; raise this error in all that wait."""
        self._connection.disconnect()
        while self._waiting:
            self._waiting.popleft().caller.throw(type(error), type(error)(*error.args))


class Lines:
    """The lines of one thread, one to each server.

    Only that thread calls the methods; all but `exchange` outside the greenlets, which they let go on.
    """

    def __init__(self, *, watch: Callable[[int], None]) -> None:
        """Let the calls of this thread use them.

        ``watch`` reports a descriptor each time when something arrives on it, until it is closed.
        """
        self._watch = watch
        self._by_pool: dict[Any, Line] = {}
        self._by_fd: dict[int, tuple[Any, Line]] = {}
        self._opening: set[Any] = set()
        #: Lines that broke as a call was sent, with calls that wait on them.
        self._broken: list[tuple[Line, redis.RedisError]] = []
        _here.lines = self

    def exchange(self, client: redis.Redis, data: bytes, replies: int) -> list[Any] | None:
        """Send commands to a server and return their replies, as `Line.exchange`; None if there is no line to it."""
        pool = client.connection_pool
        line = self._by_pool.get(pool) or self._open(pool)
        if line is None:
            return None
        try:
            return line.exchange(data, replies)
        except redis.ConnectionError as error:
            # The others that wait on it are told later: from here, their end would not come back to this greenlet.
            if self._forget(pool, line):
                self._broken.append((line, error))
            raise

    def _open(self, pool: Any) -> Line | None:
        """Open a line; None if that cannot be done, or is being done for another call."""
        if pool in self._opening:
            return None
        self._opening.add(pool)
        try:
            connection = elsewhere(partial(_connect, pool))
        except redis.ConnectionError:
            return None
        finally:
            self._opening.discard(pool)
        line = self._by_pool[pool] = Line(connection)
        self._by_fd[line.fd] = pool, line
        self._watch(line.fd)
        return line

    def __contains__(self, fd: int) -> bool:
        """Return whether a descriptor is that of one of them."""
        return fd in self._by_fd

    def read(self, fd: int) -> None:
        """Let the callers go on whose replies have arrived on a line."""
        if fd in self._by_fd:
            pool, line = self._by_fd[fd]
            try:
                line.read()
            except redis.RedisError as error:
                self._forget(pool, line)
                line.close(error)

    @property
    def patience_s(self) -> float | None:
        """Seconds until `settle` has something to do at the latest; None if no call waits."""
        if self._broken:
            return 0.0
        ends = [line.patient_until for line in self._by_pool.values() if line.patient_until is not None]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def settle(self) -> None:
        """End the calls of lines that broke, and those that have waited too long with all that wait behind them."""
        while self._broken:
            line, error = self._broken.pop()
            line.close(error)
        for pool, line in list(self._by_pool.items()):
            if _is_overdue(line):
                self.read(line.fd)  # this thread may have stood still itself, with the answers before it
            if _is_overdue(line) and self._forget(pool, line):
                line.close(redis.TimeoutError("no answer in time"))

    def _forget(self, pool: Any, line: Line) -> bool:
        """Use a line no more; False if it was forgotten already."""
        if self._by_fd.pop(line.fd, None) is None:
            return False
        del self._by_pool[pool]
        return True


def _is_overdue(line: Line) -> bool:
    return line.patient_until is not None and line.patient_until <= time.monotonic()


def _connect(pool: Any) -> Any:
    connection = pool.make_connection()
    connection.connect()
    connection._sock.setblocking(False)
    with contextlib.suppress(OSError):
        connection._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
    return connection
