"""A PostgreSQL of our own, in a temporary folder, on a socket; where there is none, its row is left out."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from deploy.demo.postgres_server import find_programs, prepare_folder
from tests.benchmarks.processes import Process, wait_ready

__all__ = ["Postgres", "find_programs", "version"]


class Postgres:
    """A running server.  As durable as the store: a crash may lose the last moment, a transaction is whole or not."""

    def __init__(self, programs: Path, folder: Path, **options: str) -> None:
        self._folder, user = prepare_folder(programs, "bench")
        environ = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        options = {
            "listen_addresses": "", "unix_socket_directories": str(self._folder), "synchronous_commit": "off",
            "shared_buffers": "256MB", "max_wal_size": "4GB", **options,
        }  # fmt: skip
        command = [str(programs / "postgres"), "-D", str(self._folder / "data")]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self._process = Process("postgres", command, folder, environ=environ, cwd=self._folder, user=user)
        self.conninfo = f"host={self._folder} user=bench dbname=postgres"
        wait_ready((self._folder / ".s.PGSQL.5432").exists, self._process, "PostgreSQL answers")

    @property
    def group(self) -> int:
        return self._process.group

    def stop(self) -> None:
        """End it, and remove what it stored."""
        # Killed, it would leave shared memory behind.
        self._process.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)


def version(programs: Path) -> str:
    """Ask which version it is."""
    said = subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, text=True, timeout=10)
    return said.stdout.strip().rpartition(") ")[2].split(" ")[0]
