"""Processes, looked at from outside."""

from __future__ import annotations

import subprocess


def children(pid: int) -> list[int]:
    """Name the processes that a process has started and that are still alive."""
    command = ["ps", "-A", "-o", "pid=,ppid=,stat="]
    rows = map(str.split, subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())
    return [int(child) for child, parent, state in rows if int(parent) == pid and not state.startswith("Z")]
