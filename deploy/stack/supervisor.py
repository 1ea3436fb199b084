"""supervisord as a child: its configuration, and control of its services by name."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import xmlrpc.client
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from deploy.stack.allocator import MALLOC
from deploy.stack.data_folder import DataFolder
from shared.errors import Misconfigured, SluiceError
from shared.waiting import WaitedInVain, wait_until

DEPLOY = Path(__file__).parents[1]

#: Seconds for supervisord itself to come up, on a busy machine.
UP_TIMEOUT_S = 20.0
#: Seconds supervisord has to answer; it works in one thread and does nothing that takes long.
ANSWER_TIMEOUT_S = 5.0
#: Lines of what it says itself that are kept, for the case that it ends.
LINES_KEPT = 20


class SupervisorSilent(SluiceError):
    """supervisord does not answer in time, or is not there."""


@dataclass(frozen=True, slots=True)
class Process:
    """A service as supervisord sees it."""

    name: str
    #: 0 while there is none.
    pid: int
    #: STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED or FATAL.
    state: str
    #: Whether it was started once, now or before.
    was_wanted: bool = True


def render_config(folder: DataFolder, socket: Path, **values: object) -> str:
    """Fill in the configuration.  Raises Misconfigured for a path that its format cannot hold."""
    values |= {"folder": folder.path, "log": folder.path / "log", "socket": socket}
    values |= {"python": sys.executable, "deploy": DEPLOY, "root": DEPLOY.parent}
    template = Template((DEPLOY / "supervisor.conf").read_text(encoding="utf-8"))
    return template.substitute({name: _checked(str(value)) for name, value in values.items()})


def _checked(value: str) -> str:
    if odd := [mark for mark in (" ;", " #", "%", "\n", '"', "'", "\\") if mark in value]:
        raise Misconfigured(f"{value!r} has {odd[0]!r} in it, which supervisor cannot take: choose another folder")
    return value


class Supervisor:
    """One supervisord, tied to this process, and its services."""

    def __init__(self, config: Path, socket: Path) -> None:
        self._config = config
        self._socket = socket
        self._process: subprocess.Popen[bytes] | None = None
        self._said: deque[bytes] = deque(maxlen=LINES_KEPT)
        self._listener: threading.Thread | None = None
        #: The services at the last look, each the leader of its process group.
        self._seen: set[int] = set()

    def start(self, environ: Mapping[str, str], *, keep_open: int) -> None:
        """Start it with the environment its services get, and the descriptor ``keep_open`` of the data folder's lock.

        Raises Misconfigured if it does not come up, with what it said.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", "deploy.stack.tied_supervisord", "-c", str(self._config)],
            env={**MALLOC, **environ},
            cwd=DEPLOY.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[keep_open],
            # Ctrl-C is for us; we stop the services in order.
            start_new_session=True,
            umask=0o077,
        )
        # A pipe that nobody reads is full one day, and whoever writes into it then stands still.
        self._listener = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._listener.start()
        try:
            wait_until(lambda: not self.alive() or self._answers(), "supervisord answers", timeout_s=UP_TIMEOUT_S)
        except WaitedInVain:
            self.kill()
        if not self.alive():
            raise Misconfigured(f"supervisord did not start: {self.last_words()}")

    def alive(self) -> bool:
        """Return whether supervisord itself runs."""
        return self._process is not None and self._process.poll() is None

    def last_words(self) -> str:
        """Read what it said last on its standard error, once it has ended."""
        if self._listener:
            self._listener.join(ANSWER_TIMEOUT_S)
        return b"".join(self._said).decode(errors="replace").strip() or "without a word"

    def processes(self) -> dict[str, Process]:
        """Look at all services.  Empty when supervisord does not answer."""
        try:
            return self._look()
        except SupervisorSilent:
            return {}

    def _look(self) -> dict[str, Process]:
        found = [
            Process(each["name"], each["pid"], each["statename"], was_wanted=each["start"] > 0)
            for each in self._call("getAllProcessInfo")
        ]
        self._seen = {process.pid for process in found if process.pid}
        return {process.name: process for process in found}

    def is_running(self, name: str) -> bool:
        """Return whether a service has stayed up for a moment."""
        process = self.processes().get(name)
        return process is not None and process.state == "RUNNING"

    def start_service(self, name: str) -> None:
        """Start a service; one that runs is left alone.  Raises SupervisorSilent."""
        with contextlib.suppress(xmlrpc.client.Fault):
            self._call("startProcess", str(name), False)

    def stop_service(self, name: str, *, timeout_s: float) -> None:
        """Stop a service and wait for its end; it stays stopped.  One that does not run is no error.

        Raises SupervisorSilent, or WaitedInVain.
        """
        with contextlib.suppress(xmlrpc.client.Fault):
            self._call("stopProcess", str(name), False)
        wait_until(lambda: self._ended(name), f"{name} stops", timeout_s=timeout_s)

    def signal_service(self, name: str, signal_name: str) -> None:
        """Send a signal, ``HUP`` for example, to the process of a service; one that does not run is no error.

        Raises SupervisorSilent.
        """
        with contextlib.suppress(xmlrpc.client.Fault):
            self._call("signalProcess", str(name), signal_name)

    def stop(self, *, timeout_s: float) -> None:
        """Stop what still runs, in order, then supervisord; what does not end in time is killed."""
        if self._process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.terminate()
            self._process.wait(timeout_s)
        if self.alive():
            self.kill()
        if self._process.returncode:
            self._end_orphans(timeout_s)

    def kill(self) -> None:
        """End supervisord at once; its services are left."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _end_orphans(self, timeout_s: float) -> None:
        # supervisord was killed, so nobody else will.
        with contextlib.suppress(WaitedInVain):
            wait_until(
                lambda: not self._signal_orphans(signal.SIGTERM), "the services end", timeout_s=timeout_s, every_s=0.1
            )
        self._signal_orphans(signal.SIGKILL)

    def _signal_orphans(self, signal_number: int) -> int:
        left = 0
        for pid in self._seen:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal_number)
                left += 1
        return left

    def _ended(self, name: str) -> bool:
        # Silence, as on a very busy machine, is no end: a start before that would be lost.
        found = self._look().get(name)
        return found is None or not found.pid

    def _answers(self) -> bool:
        return bool(self.processes())

    def _listen(self, pipe: Iterable[bytes]) -> None:
        self._said.extend(pipe)

    def _call(self, method: str, *args: object) -> Any:
        # A connection each: few calls, and supervisord drops one it finds idle.
        transport = _SocketTransport(self._socket)
        try:
            with xmlrpc.client.ServerProxy("http://supervisor", transport=transport) as server:
                return getattr(server.supervisor, method)(*args)
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as problem:
            raise SupervisorSilent(f"supervisord does not answer: {problem}") from problem


class _SocketTransport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket, with a deadline for each step."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, _: object) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("supervisor", timeout=ANSWER_TIMEOUT_S)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(ANSWER_TIMEOUT_S)
        connection.sock.connect(os.fsencode(self._path))
        return connection
