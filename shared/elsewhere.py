"""One thread for many requests: each runs in a greenlet until it has to wait, and whatever blocks is done elsewhere."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")


class _Here(threading.local):
    thread: SharedThread | None = None


_here = _Here()


def elsewhere(work: Callable[[], T]) -> T:
    """Do what may block, and return or raise what it does.

    On a thread that many share, another one does it meanwhile, in a copy of this context.  The caller must not hold a
    lock that others of its thread may want, and ``work`` may take it.
    """
    thread = shared_thread()
    return work() if thread is None else thread.do_elsewhere(work)


def on_shared_thread() -> bool:
    """Return whether greenlets share the calling thread."""
    return _here.thread is not None


def take_turns(work: Callable[[], None]) -> None:
    """Do something in a greenlet of the calling thread, which greenlets share; returns when it has to wait."""
    thread = _here.thread
    assert thread is not None
    thread.run(work)


def shared_thread() -> SharedThread | None:
    """Return the thread that the running greenlet shares with others; None if it has a thread to itself."""
    thread = _here.thread
    return thread if thread is not None and getcurrent().parent is not None else None


class SharedThread:
    """A thread on which greenlets take turns.  Only that thread calls its methods."""

    def __init__(self, *, hand_over: Callable[[Callable[[], None]], None], wake: Callable[[], None]) -> None:
        """``hand_over`` lets another thread do something; ``wake`` lets this one call `go_on` soon, from any thread."""
        self._hand_over, self._wake = hand_over, wake
        self._done: deque[tuple[greenlet, Any, BaseException | None]] = deque()
        #: Greenlets that have nothing to do; a new one costs the system two calls and four pages.
        self._idle: list[greenlet] = []
        _here.thread = self

    def run(self, work: Callable[[], None]) -> None:
        """Do something in a greenlet, until it has to wait."""
        one = self._idle.pop() if self._idle else greenlet(self._run)
        one.switch(work)

    def _run(self, work: Callable[[], None]) -> None:
        while True:
            work()
            self._idle.append(getcurrent())
            work = wait_here()

    def do_elsewhere(self, work: Callable[[], T]) -> T:
        """Let another thread do something while the running greenlet waits."""
        me, context = getcurrent(), copy_context()

        def job() -> None:
            try:
                self._done.append((me, context.run(work), None))
            except BaseException as error:
                self._done.append((me, None, error))
            self._wake()

        self._hand_over(job)
        result, error = wait_here()
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def go_on(self) -> None:
        """Let those go on for which something was done elsewhere."""
        while self._done:
            waiting, result, error = self._done.popleft()
            waiting.switch((result, error))


def wait_here() -> Any:
    """Let others of this thread go on until somebody switches back; returns what that one gives."""
    parent = getcurrent().parent
    assert parent is not None
    return parent.switch()
