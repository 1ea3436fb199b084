"""Processes, looked at from outside: whose children they are, how much memory they have used."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from deploy.restart import children


def kill_family(pid: int) -> None:
    """Kill -9 a process and its children, the parent first so that it replaces none of them."""
    family = [pid, *children(pid)]
    for each in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def peak_memory_bytes(pid: int) -> int | None:
    """Read the most memory a process ever held; None where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return None
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
