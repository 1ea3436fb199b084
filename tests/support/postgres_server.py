"""A real PostgreSQL for tests: one server, and an empty database for each test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg

from shared.waiting import wait_until
from tests.benchmarks.postgres import Postgres, find_programs

#: Seconds in which it starts or recovers, on a busy machine.
ANSWER_S = 60.0


class PostgresServer:
    """A running server; a commit that was answered survives a crash of its processes."""

    def __init__(self, programs: Path, folder: Path) -> None:
        # Its processes die in tests, its machine does not.
        self._server = Postgres(programs, folder, fsync="off", synchronous_commit="on")
        self._programs = programs
        self.host = self._server.conninfo.partition("host=")[2].partition(" ")[0]
        self._number = 0
        self.wait_until_it_answers()

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

    def wait_until_it_answers(self) -> None:
        """Wait while it starts or recovers."""
        wait_until(self._answers, "PostgreSQL answers", timeout_s=ANSWER_S)

    def signal_backends(self, signal_number: int) -> None:
        """Send a signal to the process of every connection."""
        found = subprocess.run(
            ["pgrep", "-P", str(self._server.group), "-f", "bench shop"], capture_output=True, text=True, check=False
        ).stdout
        for pid in map(int, found.split()):
            # One may have ended meanwhile.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal_number)

    def crash(self) -> None:
        """Have the server lose all its processes but the first, and recover, as after any of them was killed."""
        with self.connect("postgres") as witness, contextlib.closing(self.connect("postgres")) as victim:
            self.signal_backends(signal.SIGKILL)
            # There may be no others, or they may just have ended by themselves; if not, this one may be gone, too.
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim.info.backend_pid, signal.SIGKILL)
            # The first process answers as before until it has noticed; then it ends all others.
            wait_until(lambda: _is_cut(witness), "PostgreSQL begins to recover", timeout_s=ANSWER_S)
        self.wait_until_it_answers()

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
