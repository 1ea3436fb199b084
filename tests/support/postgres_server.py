"""A real PostgreSQL for tests: one server, and an empty database for each test."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg

from shared.waiting import wait_until
from tests.benchmarks.postgres import Postgres, find_programs


class PostgresServer:
    """A running server; a commit that was answered survives a crash of its processes."""

    def __init__(self, programs: Path, folder: Path) -> None:
        # Its processes die in tests, its machine does not.
        self._server = Postgres(programs, folder, fsync="off", synchronous_commit="on")
        self._programs = programs
        self.host = self._server.conninfo.partition("host=")[2].partition(" ")[0]
        self._number = 0
        wait_until(self._answers, "PostgreSQL answers", timeout_s=30)

    def url(self, database: str) -> str:
        return f"postgresql://bench@/{database}?host={self.host}"

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        self._number += 1
        name = f"shop{self._number}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        return self.url(name)

    def connect(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    def signal_backends(self, signal_number: int) -> None:
        """Send a signal to the process of every connection."""
        found = subprocess.run(
            ["pgrep", "-P", str(self._server.group), "-f", "bench shop"], capture_output=True, text=True, check=False
        ).stdout
        for pid in map(int, found.split()):
            os.kill(pid, signal_number)

    def crash(self) -> None:
        """Have the server lose all its processes but the first, and recover, as after any of them was killed."""
        with self.connect("postgres") as witness:
            self.signal_backends(signal.SIGKILL)
            # The first process answers as before until it has noticed; then it ends all others.
            wait_until(lambda: _is_cut(witness), "PostgreSQL begins to recover", timeout_s=20)
        wait_until(self._answers, "PostgreSQL answers again", timeout_s=20)

    def _answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.Error:
            return False
        return True

    def stop(self) -> None:
        self._server.stop()


def _is_cut(connection: psycopg.Connection[Any]) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


def start(folder: Path) -> PostgresServer | None:
    """Start a server; None where there is none to start."""
    programs = find_programs()
    return None if programs is None else PostgresServer(programs, folder)
