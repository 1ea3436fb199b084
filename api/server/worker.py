"""The gunicorn worker class of the ingress."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import resource
import select
import socket
import threading
import time
from collections.abc import Iterator

from gunicorn import sock as gunicorn_sock
from gunicorn.workers.base import Worker

from api.server.crew import Crew
from api.server.environ import base_environ
from api.server.free_memory import FreeMemory
from api.server.hosted_app import HostedApp
from api.server.poller import Event
from api.server.reception import Reception
from api.server.request_loop import LIGHT_SEATS, RequestLoop
from api.server.succession import Succession
from shared.elsewhere import SharedThread
from shared.store.lines import Lines
from shared.telemetry.logs import gather_lines

log = logging.getLogger(__name__)

#: Seconds between two checks of the deadlines.
LOOK_S = 0.5
#: Seconds that a process waits for the one that takes its place: to start takes one or two, on a busy machine ten.
SUCCESSOR_S = 20.0
#: Seconds that idle connections stay open when the process ends: a request may be on its way.
LINGER_S = 2.0
#: Seconds without receiving after an error that nobody expected: the next one would follow at once.
AFTER_ERROR_S = 0.1
#: Seconds that threads are waited for in the end.
JOIN_S = 1.0
#: Bytes of an answer that the kernel takes beyond what it has sent; the rest is counted as held.
NOTSENT_BYTES = 128 * 1024
_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class ThreadedPollWorker(Worker):
    """Serves all connections.

    One thread, the receptionist, waits in the poller, reads, and parses.  It serves quick requests itself, each in a
    greenlet, so that many of them wait for the store at once; what blocks there is done by another thread
    (`shared.elsewhere`).  All other requests are handed over.  The main thread sends heartbeats to gunicorn and checks
    deadlines.
    """

    #: Set by gunicorn's configuration, before the process is forked.
    succession: Succession | None = None

    def init_process(self) -> None:
        """Raise the limit of descriptors to what the system allows, then load the application."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(ValueError, OSError):  # macOS has a lower limit than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        super().init_process()

    def run(self) -> None:
        """Serve until gunicorn ends the process, then let the requests in progress end."""
        hosted: HostedApp = self.wsgi
        gather_lines()
        self._listeners: dict[int, socket.socket] = {}
        self._ended = threading.Event()
        self._tired: list[int] = []
        self._memory = FreeMemory()
        self._reception = Reception(hosted, gunicorn_sock.ssl_context(self.cfg) if self.cfg.is_ssl else None)
        for listener in self.sockets:
            self._listen(listener.sock)
        name, port = _name_of(self.sockets[0].sock)
        base = base_environ("https" if self.cfg.is_ssl else "http", name, port, multiprocess=self.cfg.workers > 1)
        self._crew = Crew()
        self._loop = RequestLoop(
            hosted, self._reception, base, threads=self.cfg.threads, hand_over=self._crew.hand_over
        )
        # One for each seat, since those that have one may all block.
        workers = self.cfg.threads + LIGHT_SEATS + hosted.limits.uploads
        self._threads = [
            threading.Thread(target=self._crew.work, args=(self._loop.run_turns,), daemon=True) for _ in range(workers)
        ]
        self._threads.append(threading.Thread(target=self._receive, name="receptionist", daemon=True))
        for thread in self._threads:
            thread.start()
        if self.succession:
            self.succession.serving()
        self.alive: bool
        while self.alive and os.getppid() == self.ppid:
            self._look()
            self._rest(LOOK_S)
        self.alive = False
        self._await_successor()
        self._end()

    def _listen(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            option = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, option, NOTSENT_BYTES)
        self._listeners[sock.fileno()] = sock
        self._reception.poller.watch_once(sock.fileno())

    # -- the main thread

    def _look(self) -> None:
        self.notify()
        now = time.monotonic()
        self._reception.close_overdue(now)
        self._loop.refuse_those_who_wait(now)
        if self._reception.turns:
            self._reception.poller.wake()
        if self._reception.made_room and self._memory.give_back():
            self._reception.made_room = False
        while self._tired:
            self._watch(self._tired.pop())

    def _rest(self, seconds: float) -> None:
        if select.select([self.PIPE[0]], [], [], seconds)[0]:  # a signal
            os.read(self.PIPE[0], 4096)

    def _await_successor(self) -> None:
        """Serve on while a process starts that takes this one's place: gunicorn ends the old ones too soon."""
        end = time.monotonic() + SUCCESSOR_S
        while self.succession and self.succession.is_coming and time.monotonic() < end:
            self._look()
            self._rest(0.05)

    def _end(self) -> None:
        self._loop.stopping = True
        listeners, self._listeners = self._listeners, {}
        for sock in listeners.values():
            sock.close()
        now = time.monotonic()
        linger, end = now + LINGER_S, now + self.cfg.graceful_timeout
        while self._reception.count and now < end:
            self._look()
            if now > linger:
                self._reception.close_idle()
            self._rest(0.05)
            now = time.monotonic()
        self._ended.set()
        self._reception.poller.wake()
        self._crew.dismiss()
        # A thread that is still in the middle of something when the interpreter goes may take the process with it.
        until = time.monotonic() + JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    # -- the receptionist

    def _receive(self) -> None:
        """Receive, parse, and serve what is quick, until the process ends."""
        poller = self._reception.poller
        # Kept, as their greenlets must not be taken apart by a thread that ends.
        self._shared = SharedThread(hand_over=self._crew.hand_over, wake=poller.wake)
        self._lines = Lines(watch=poller.watch_input)
        try:
            while not self._ended.is_set():
                with self._whatever_happens():
                    self._receive_once(self._shared, self._lines)
        finally:
            self.alive = False  # a process that is deaf is replaced

    def _receive_once(self, thread: SharedThread, lines: Lines) -> None:
        replies = []
        for event in self._reception.poller.wait(lines.patience_s):
            if event[0] in lines:
                replies.append(event[0])
            else:
                with self._whatever_happens():
                    self._note(event)
        for fd in replies:
            with self._whatever_happens():
                lines.read(fd)
        thread.go_on()
        lines.settle()
        self._loop.run_turns()

    @contextlib.contextmanager
    def _whatever_happens(self) -> Iterator[None]:
        """Log an error that nobody expected, and go on: nobody else receives, and no event is reported again."""
        try:
            yield
        except Exception:
            with contextlib.suppress(OSError):
                log.exception("error receiving requests", extra={"action": "request_failed"})
            self._ended.wait(AFTER_ERROR_S)

    def _note(self, event: Event) -> None:
        fd, hung_up, gone = event
        if listener := self._listeners.get(fd):
            self._accept(listener, fd)
        else:
            self._reception.note(fd, hung_up=hung_up, gone=gone)

    def _accept(self, listener: socket.socket, fd: int) -> None:
        try:
            self._reception.accept(listener)
        except OSError as error:
            if error.errno in _NO_ROOM:
                self._tired.append(fd)  # retried in a moment: now it would fail again and again
                return
        except BaseException:
            self._tired.append(fd)
            raise
        self._watch(fd)

    def _watch(self, fd: int) -> None:
        if fd in self._listeners:
            with contextlib.suppress(OSError):  # closed meanwhile
                self._reception.poller.watch_once(fd)


def _name_of(sock: socket.socket) -> tuple[str, str]:
    if sock.family == socket.AF_UNIX:
        return "localhost", "80"
    name, port, *_ = sock.getsockname()
    return name, str(port)
