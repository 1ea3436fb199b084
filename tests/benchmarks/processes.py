"""Processes of the systems: each the leader of a group of its own, ended by its id, its processor time summed up."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from shared.waiting import WaitedInVain, wait_until

ROOT = Path(__file__).parent.parent.parent
#: Seconds a process has to end before it is killed.
STOP_TIMEOUT_S = 10.0


class Process:
    """A program that runs until it is stopped; its output goes to a file."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, *,
        environ: Mapping[str, str] = os.environ, cwd: Path = ROOT, user: str | None = None,
    ) -> None:  # fmt: skip
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                command, env=dict(environ), cwd=cwd, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True, user=user,
            )  # fmt: skip

    @property
    def group(self) -> int:
        """The process group."""
        return self._process.pid

    def tail(self) -> str:
        """Read the end of its output."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def ended(self) -> bool:
        return self._process.poll() is not None

    def stop(self, signal_number: int = signal.SIGKILL) -> None:
        """End it and whatever it started: at once, as nothing of it is needed any more, or by the signal it wants."""
        if not self.ended() and signal_number != signal.SIGKILL:
            self._process.send_signal(signal_number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_S)
        signal_group(self.group, signal.SIGKILL)
        self._process.wait()


def signal_group(group: int, signal_number: int) -> None:
    """Send a signal to a process group; one that is gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal_number)


def wait_ready(ready: Callable[[], object], process: Process, what: str) -> None:
    """Wait until a process answers.  Raises RuntimeError with its output if it ends, or never does."""
    try:
        wait_until(lambda: process.ended() or ready(), what, timeout_s=30)
    except WaitedInVain:
        raise RuntimeError(f"{what}: not in time\n{process.tail()}") from None
    if process.ended():
        raise RuntimeError(f"{what}: it ended\n{process.tail()}")


def cpu_seconds(groups: Iterable[int]) -> float:
    """Sum the processor time of all processes of some groups, and of their leaders' children that left them.

    0 where /proc cannot tell.
    """
    wanted, ticks = set(groups), 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = stat.read_text().rpartition(")")[2].split()
            if not wanted.isdisjoint(map(int, fields[1:3])):
                ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")
