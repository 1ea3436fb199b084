"""Several hosts on one machine: network namespaces on a switch, whose cables can be pulled.  Linux, as root."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from shared.waiting import WaitedInVain, wait_until

ROOT = Path(__file__).parents[2]


class NotAllowed(Exception):
    """This machine does not let us make namespaces."""


class Host:
    """One host: a name, an address, and what runs there."""

    def __init__(self, switch: Switch, name: str, number: int, folder: Path) -> None:
        self.address = f"{switch.network}.{number}"
        #: Where it reaches this process.
        self.gateway = f"{switch.network}.1"
        self._switch = switch
        self._namespace = f"{switch.name}-{name}"
        #: What a command begins with that runs there.
        self.inside = ("ip", "netns", "exec", self._namespace)
        self._port = f"{switch.name[-6:]}{number}"
        self.log = folder / f"{name}.log"
        self._started: list[subprocess.Popen[bytes]] = []
        run("ip", "netns", "add", self._namespace)
        run("ip", "-n", switch.name, "link", "add", self._port, "type", "veth",
            "peer", "name", "eth0", "netns", self._namespace)  # fmt: skip
        run("ip", "-n", switch.name, "link", "set", self._port, "master", "switch", "up")
        run("ip", "-n", self._namespace, "address", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            run("ip", "-n", self._namespace, "link", "set", device, "up")

    def start(self, *command: object, environ: Mapping[str, str] | None = None) -> int:
        """Start a process there and return its id: that of the command itself."""
        words = [*self.inside, *map(str, command)]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                words, env=environ, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._started.append(process)
        return process.pid

    def service(self, name: str, environ: Mapping[str, str]) -> int:
        """Start one of Sluice's services there."""
        return self.start(sys.executable, "-m", "deploy.run", name, environ=environ)

    def unplug(self) -> None:
        """Pull its cable: nothing breaks, and nothing comes through."""
        run("ip", "-n", self._switch.name, "link", "set", self._port, "down")

    def plug_in(self) -> None:
        run("ip", "-n", self._switch.name, "link", "set", self._port, "up")

    def lose_sight_of(self, other: Host) -> None:
        """Send all that is for another host to nowhere; everybody else is reached as before."""
        run("ip", "-n", self._namespace, "neighbour", "replace", other.address, "lladdr", "02:00:00:00:00:01",
            "dev", "eth0", "nud", "permanent")  # fmt: skip

    def find_again(self, other: Host) -> None:
        """Reach another host as before; if it was never lost, nothing changes."""
        run("ip", "-n", self._namespace, "neighbour", "flush", "to", other.address, "dev", "eth0", "nud", "permanent")

    def end(self) -> None:
        """End what runs there, and the host."""
        for process in self._started:
            process.terminate()
        for process in self._started:
            with contextlib.suppress(WaitedInVain):
                wait_until(lambda one=process: one.poll() is not None, "it ends", timeout_s=15)  # type: ignore[misc]
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        run("ip", "netns", "delete", self._namespace)


class Switch:
    """What hosts are plugged into; this process too, with the lowest address."""

    def __init__(self, folder: Path) -> None:
        self.name = f"sluice{os.getpid()}"
        #: Of our own, so that it collides with nobody's, and hardly with that of another run of tests.
        self.network = f"10.231.{os.getpid() % 250}"
        self.hosts: list[Host] = []
        self._folder = folder
        try:
            run("ip", "netns", "add", self.name)
        except (OSError, subprocess.CalledProcessError) as problem:
            raise NotAllowed("network namespaces need Linux, iproute2 and root") from problem
        try:
            run("ip", "-n", self.name, "link", "add", "switch", "type", "bridge")
            run("ip", "-n", self.name, "link", "set", "switch", "up")
            run("ip", "link", "add", self.name[-12:], "type", "veth", "peer", "name", "here", "netns", self.name)
            run("ip", "-n", self.name, "link", "set", "here", "master", "switch", "up")
            run("ip", "address", "add", f"{self.network}.1/24", "dev", self.name[-12:])
            run("ip", "link", "set", self.name[-12:], "up")
        except subprocess.CalledProcessError as problem:
            self.end()
            raise NotAllowed("this machine has no bridges or veth devices") from problem

    def host(self, name: str) -> Host:
        """Make a host."""
        self.hosts.append(Host(self, name, len(self.hosts) + 2, self._folder))
        return self.hosts[-1]

    def end(self) -> None:
        """Take everything away."""
        for host in reversed(self.hosts):
            host.end()
        run("ip", "netns", "delete", self.name)


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


@contextlib.contextmanager
def plugged_in(folder: Path) -> Iterator[Switch]:
    """Have a switch for a while.  Raises NotAllowed where this machine does not let us."""
    switch = Switch(folder)
    try:
        yield switch
    finally:
        switch.end()
