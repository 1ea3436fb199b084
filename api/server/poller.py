"""Wait for events of sockets: epoll, or kqueue on macOS."""

from __future__ import annotations

import contextlib
import os
import select
import sys

#: A descriptor, whether its peer sends no more, and whether it is gone.
Event = tuple[int, bool, bool]

#: Most events that are taken at once.
_EVENTS = 64


class _Bell:
    """A pipe that ends the wait of a poller."""

    def __init__(self) -> None:
        self.fd, self._write = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write, False)

    def ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it rings already
            os.write(self._write, b".")

    def silence(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 4096)


class EpollPoller:
    """Reports when bytes arrive, when there is room for more, and when the peer hangs up."""

    def __init__(self) -> None:
        self._epoll, self._bell = select.epoll(), _Bell()
        self._epoll.register(self._bell.fd, select.EPOLLIN)

    def wake(self) -> None:
        """End the present wait, or else the next one, from any thread."""
        self._bell.ring()

    def watch(self, fd: int) -> None:
        """Watch a connection until it is closed."""
        self._epoll.register(fd, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)

    def watch_once(self, fd: int) -> None:
        """Report once that this descriptor can be read; call again for the next time."""
        try:
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLONESHOT)
        except FileExistsError:
            self._epoll.modify(fd, select.EPOLLIN | select.EPOLLONESHOT)

    def watch_input(self, fd: int) -> None:
        """Report each time when something has arrived, until the descriptor is closed."""
        self._epoll.register(fd, select.EPOLLIN | select.EPOLLET)

    def wait(self, timeout_s: float | None) -> list[Event]:
        """Wait for events; there are none when the time is up, or somebody wakes it."""
        found = []
        for fd, events in self._epoll.poll(timeout_s, _EVENTS):
            if fd == self._bell.fd:
                self._bell.silence()
            else:
                found.append((fd, bool(events & _ENDED), bool(events & _GONE)))
        return found


if sys.platform == "linux":
    _GONE = select.EPOLLHUP | select.EPOLLERR
    _ENDED = _GONE | select.EPOLLRDHUP
    Poller = EpollPoller
else:

    class KqueuePoller:
        """The same on macOS."""

        def __init__(self) -> None:
            self._queue, self._bell = select.kqueue(), _Bell()
            self._add(select.kevent(self._bell.fd, select.KQ_FILTER_READ, select.KQ_EV_ADD))

        def wake(self) -> None:
            self._bell.ring()

        def watch(self, fd: int) -> None:
            kinds = (select.KQ_FILTER_READ, select.KQ_FILTER_WRITE)
            self._add(*(select.kevent(fd, kind, select.KQ_EV_ADD | select.KQ_EV_CLEAR) for kind in kinds))

        def watch_once(self, fd: int) -> None:
            self._add(select.kevent(fd, select.KQ_FILTER_READ, select.KQ_EV_ADD | select.KQ_EV_ONESHOT))

        def watch_input(self, fd: int) -> None:
            self._add(select.kevent(fd, select.KQ_FILTER_READ, select.KQ_EV_ADD | select.KQ_EV_CLEAR))

        def wait(self, timeout_s: float | None) -> list[Event]:
            found = []
            for event in self._queue.control(None, _EVENTS, timeout_s):
                if event.ident == self._bell.fd:
                    self._bell.silence()
                    continue
                ended = bool(event.flags & select.KQ_EV_EOF)
                found.append((event.ident, ended, ended and event.filter == select.KQ_FILTER_WRITE))
            return found

        def _add(self, *events: select.kevent) -> None:
            self._queue.control(list(events), 0)

    Poller = KqueuePoller
