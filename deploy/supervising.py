"""supervisord as a child: its configuration, and control of its services by name."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from deploy.allocator import MALLOC
from deploy.data_folder import DataFolder
from shared.errors import Misconfigured
from shared.waiting import WaitedInVain, wait_until

DEPLOY = Path(__file__).parent

#: Seconds for supervisord itself to come up, on a busy machine.
UP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Process:
    """A service as supervisord sees it."""

    name: str
    #: 0 while there is none.
    pid: int
    #: STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED or FATAL.
    state: str


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
        #: The services at the last look, each the leader of its process group.
        self._seen: set[int] = set()

    def start(self, environ: Mapping[str, str], *, keep_open: int) -> None:
        """Start it with the environment its services get, and the descriptor ``keep_open`` of the data folder's lock.

        Raises Misconfigured if it does not come up, with what it said.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", "deploy.tied_supervisord", "-c", str(self._config)],
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
        try:
            wait_until(lambda: not self.alive() or self._answers(), "supervisord answers", timeout_s=UP_TIMEOUT_S)
        except WaitedInVain:
            self.kill()
        if not self.alive():
            assert self._process.stderr
            said = self._process.stderr.read().decode(errors="replace").strip()
            raise Misconfigured(f"supervisord did not start: {said or 'without a word'}")

    def alive(self) -> bool:
        """Say whether supervisord itself runs."""
        return self._process is not None and self._process.poll() is None

    def processes(self) -> dict[str, Process]:
        """Look at all services.  Empty when supervisord does not answer."""
        try:
            found = [Process(each["name"], each["pid"], each["statename"]) for each in self._call("getAllProcessInfo")]
        except (OSError, http.client.HTTPException):
            return {}
        self._seen = {process.pid for process in found if process.pid}
        return {process.name: process for process in found}

    def start_service(self, name: str) -> None:
        """Start a service; one that runs is left alone."""
        with contextlib.suppress(xmlrpc.client.Fault):
            self._call("startProcess", str(name), False)

    def stop_service(self, name: str, *, timeout_s: float) -> None:
        """Stop a service and wait for its end; it stays stopped.  One that does not run is no error."""
        with contextlib.suppress(xmlrpc.client.Fault):
            self._call("stopProcess", str(name), False)
        wait_until(lambda: self._ended(name), f"{name} stops", timeout_s=timeout_s)

    def signal_service(self, name: str, signal_name: str) -> None:
        """Send a signal, ``HUP`` for example, to the process of a service; one that does not run is no error."""
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
                lambda: not self._signal_orphans(signal.SIGTERM), "the services end", timeout_s=timeout_s, every_s=0.5
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
        found = self.processes().get(name)
        return found is None or not found.pid

    def _answers(self) -> bool:
        return bool(self.processes())

    def _call(self, method: str, *args: object) -> Any:
        # A connection each: few calls, and supervisord drops one it finds idle.
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        with xmlrpc.client.ServerProxy("http://supervisor", transport=transport) as server:
            return getattr(server.supervisor, method)(*args)
