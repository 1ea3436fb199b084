"""Wait for events of sockets on many threads at once: epoll, or kqueue on macOS."""

from __future__ import annotations

import select
import sys


class EpollPoller:
    """Wakes one of the waiting threads when bytes arrive, when there is room for more, or when the peer hangs up."""

    def __init__(self) -> None:
        self._epoll = select.epoll()

    def watch(self, fd: int) -> None:
        """Watch a connection until it is closed."""
        self._epoll.register(fd, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)

    def watch_once(self, fd: int) -> None:
        """Report once that this descriptor can be read; call again for the next time."""
        try:
            self._epoll.register(fd, select.EPOLLIN | select.EPOLLONESHOT)
        except FileExistsError:
            self._epoll.modify(fd, select.EPOLLIN | select.EPOLLONESHOT)

    def wake_all(self, fd: int) -> None:
        """Wake every thread, again and again, once this descriptor can be read."""
        self._epoll.register(fd, select.EPOLLIN)

    def wait(self) -> tuple[int, bool, bool]:
        """Wait for an event; return the descriptor, whether its peer sends no more, and whether it is gone."""
        while True:
            for fd, events in self._epoll.poll(-1, 1):
                gone = bool(events & (select.EPOLLHUP | select.EPOLLERR))
                return fd, gone or bool(events & select.EPOLLRDHUP), gone


if sys.platform == "linux":
    Poller = EpollPoller
else:

    class KqueuePoller:
        """The same on macOS."""

        def __init__(self) -> None:
            self._queue = select.kqueue()

        def watch(self, fd: int) -> None:
            kinds = (select.KQ_FILTER_READ, select.KQ_FILTER_WRITE)
            self._add(*(select.kevent(fd, kind, select.KQ_EV_ADD | select.KQ_EV_CLEAR) for kind in kinds))

        def watch_once(self, fd: int) -> None:
            self._add(select.kevent(fd, select.KQ_FILTER_READ, select.KQ_EV_ADD | select.KQ_EV_ONESHOT))

        def wake_all(self, fd: int) -> None:
            self._add(select.kevent(fd, select.KQ_FILTER_READ, select.KQ_EV_ADD))

        def wait(self) -> tuple[int, bool, bool]:
            while True:
                for event in self._queue.control(None, 1, None):
                    ended = bool(event.flags & select.KQ_EV_EOF)
                    return event.ident, ended, ended and event.filter == select.KQ_FILTER_WRITE

        def _add(self, *events: select.kevent) -> None:
            self._queue.control(list(events), 0)

    Poller = KqueuePoller
