"""`make up` as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.stack.ports import LOOPBACK, free_port


class Up:
    """One `python -m deploy.up`."""

    def __init__(self, environ: dict[str, str], *, cwd: Path | None = None) -> None:
        """Start it, in the folder of another checkout if one is given."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.up"],
            env=environ,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def read_until(self, wanted: str) -> list[str]:
        """Read its lines up to one that has the wanted text."""
        lines = []
        assert self.process.stdout
        for line in self.process.stdout:
            lines.append(line.rstrip())
            if wanted in line:
                return lines
        pytest.fail(f"ended without {wanted!r}: {lines}")

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Ask it to end and return its status."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        self.process.communicate(timeout=60)
        return self.process.returncode


def up_environ(folder: Path, **settings: object) -> dict[str, str]:
    """The variables of a `make up` on free ports, with this data folder."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
    ports = {name: free_port(LOOPBACK, 0) for name in ("PORT", "FLOWER_PORT")}
    mine = {"DATA_DIR": folder, **ports, **settings}
    return clean | {f"SLUICE_{name}": str(value) for name, value in mine.items()}
