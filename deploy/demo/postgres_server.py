"""A PostgreSQL of the demo's own: in its folder, on a socket, gone with it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from shared.errors import SluiceError
from shared.waiting import WaitedInVain, wait_until

#: Where Debian keeps the programs that no shell should find by itself.
_DEBIAN = "/usr/lib/postgresql"
#: PostgreSQL refuses to run as root; its package makes this user.
_USER = "postgres"
INIT_TIMEOUT_S = 60
READY_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10


class NoPostgres(SluiceError):
    """There is no PostgreSQL here that could be started."""


def find_programs() -> Path | None:
    """Find the folder with the programs of a server, the newest; None if there is none that can run here."""
    if os.getuid() == 0 and not any(user.pw_name == _USER for user in pwd.getpwall()):
        return None
    newest = sorted(Path(_DEBIAN).glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    named = shutil.which("postgres")
    found = newest[-1] if newest else Path(named).resolve() if named else None
    return found.parent if found and (found.parent / "initdb").exists() else None


def prepare_folder(programs: Path, role: str) -> tuple[Path, str | None]:
    """Make a temporary folder with an empty database cluster in ``data``, of a superuser ``role``.

    Returns it with the user that the server has to run as; None: the own.  Raises NoPostgres.
    """
    user = _USER if os.getuid() == 0 else None
    # Not in a folder that is private to root.
    folder = Path(tempfile.mkdtemp(prefix="sluice-pg-"))
    if user:
        shutil.chown(folder, user)
    done = subprocess.run(
        [programs / "initdb", "--no-sync", "--auth", "trust", "--username", role, "--encoding", "UTF8",
         folder / "data"],
        check=False, capture_output=True, text=True, timeout=INIT_TIMEOUT_S, user=user, cwd=folder,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
    )  # fmt: skip
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise NoPostgres(f"PostgreSQL cannot make a database: {done.stderr.strip()[-500:]}")
    return folder, user


class DemoPostgres:
    """A running server with an empty database."""

    def __init__(self) -> None:
        """Start it.  Raises NoPostgres."""
        programs = find_programs()
        if programs is None:
            raise NoPostgres(
                "PostgreSQL is not installed (Debian: apt-get install postgresql); --sink takes a URL, too"
            )
        self._folder, user = prepare_folder(programs, "demo")
        data, log = self._folder / "data", self._folder / "log"
        options = ("-c", "listen_addresses=", "-c", f"unix_socket_directories={self._folder}")
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [programs / "postgres", "-D", data, *options],
                stdout=output, stderr=output, user=user, cwd=self._folder, start_new_session=True,
            )  # fmt: skip
        self.url = f"postgresql://demo@/postgres?host={self._folder}"
        #: Opens the table in a shell.
        self.shell = f"psql '{self.url}'"
        try:
            wait_until(self._is_ready, "PostgreSQL is ready", timeout_s=READY_TIMEOUT_S)
        except WaitedInVain:
            said = log.read_text(errors="replace")[-500:]
            self.stop()
            raise NoPostgres(f"PostgreSQL does not start: {said}") from None

    def _is_ready(self) -> bool:
        lock = self._folder / "data" / "postmaster.pid"
        return lock.exists() and lock.read_text().rstrip().endswith("ready")

    def stop(self) -> None:
        """End it, and remove what it stored."""
        # At once, and leaving no shared memory behind.
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
