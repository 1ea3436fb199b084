"""The gunicorn worker class of the ingress."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import select
import socket
import threading
import time

from gunicorn import sock as gunicorn_sock
from gunicorn.workers.base import Worker

from api.server.environ import base_environ
from api.server.free_memory import FreeMemory
from api.server.hosted_app import HostedApp
from api.server.reception import Reception
from api.server.request_loop import LIGHT_SEATS, RequestLoop
from api.server.succession import Succession

#: Seconds between two checks of the deadlines.
LOOK_S = 0.5
#: Seconds that a process waits for the one that takes its place: to start takes one or two, on a busy machine ten.
SUCCESSOR_S = 20.0
#: Seconds that idle connections stay open when the process ends: a request may be on its way.
LINGER_S = 2.0
#: Bytes of an answer that the kernel takes beyond what it has sent; the rest is counted as held.
NOTSENT_BYTES = 128 * 1024
_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class ThreadedPollWorker(Worker):
    """Serves all connections from one poller that many threads wait in.

    The thread that gets an event reads, parses, and calls the application itself: no request changes threads.  There
    is one thread more than seats, so one always waits in the poller.  The main thread sends heartbeats to gunicorn and
    checks deadlines.
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
        self._end_read, self._end_write = os.pipe()
        self._listeners: dict[int, socket.socket] = {}
        self._tired: list[int] = []
        self._memory = FreeMemory()
        self._reception = Reception(hosted, gunicorn_sock.ssl_context(self.cfg) if self.cfg.is_ssl else None)
        self._reception.poller.wake_all(self._end_read)
        for listener in self.sockets:
            self._listen(listener.sock)
        name, port = _name_of(self.sockets[0].sock)
        base = base_environ("https" if self.cfg.is_ssl else "http", name, port, multiprocess=self.cfg.workers > 1)
        self._loop = RequestLoop(hosted, self._reception, base, threads=self.cfg.threads)
        for _ in range(self.cfg.threads + LIGHT_SEATS + hosted.limits.uploads + 1):
            threading.Thread(target=self._serve, daemon=True).start()
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
        os.write(self._end_write, b".")

    # -- every other thread

    def _serve(self) -> None:
        poller = self._reception.poller
        while True:
            fd, hung_up, gone = poller.wait()
            if fd == self._end_read:
                return
            listener = self._listeners.get(fd)
            if listener is None:
                self._reception.note(fd, hung_up=hung_up, gone=gone)
            else:
                self._accept(listener, fd)
            self._loop.run_turns()

    def _accept(self, listener: socket.socket, fd: int) -> None:
        try:
            self._reception.accept(listener)
        except OSError as error:
            if error.errno in _NO_ROOM:
                self._tired.append(fd)  # retried in a moment: now it would fail again and again
                return
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
