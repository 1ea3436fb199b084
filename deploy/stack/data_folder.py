"""The data folder: private to one user, used by one stack at a time, with its generated secrets."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from shared.errors import Misconfigured

LOCK = "lock"

#: A file system in memory, where there is one: what lies there needs no disk.
MEMORY = Path("/dev/shm")

#: Bytes a socket's path may have; 104 on macOS, 108 on Linux, the closing zero included.
LONGEST_SOCKET_PATH = 100


class DataFolder:
    """The data that one stack keeps between runs.  Open it with ``open_folder``."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        #: The descriptor that holds the lock; whoever inherits it keeps the folder held.
        self.lock = lock

    def log(self, service: str) -> Path:
        """Name the file that a service's output goes to."""
        return self.path / "log" / f"{service}.log"

    def socket(self, name: str) -> Path:
        """Name a socket: in the folder, or in a private one under the temporary folder when that path is too long."""
        return short_socket(self.path / f"{name}.sock")

    def secret(self, name: str, make: Callable[[], str]) -> tuple[str, bool]:
        """Read a kept secret, made on the first call; the flag says whether it was made now."""
        file = self.path / name
        if file.exists() and (kept := file.read_text(encoding="utf-8").strip()):
            return kept, False
        made = make()
        write_private(file, made + "\n")
        return made, True

    def emptied(self, name: str) -> Path:
        """Create an empty folder, in memory if possible, and return its path."""
        parent = self._in_memory() or self.path
        folder = parent / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder

    def _in_memory(self) -> Path | None:
        # The file itself too: in containers other folders may have the same path.
        found = os.fstat(self.lock)
        try:
            return _own_folder(MEMORY, f"{self.path} {found.st_dev} {found.st_ino}")
        except (OSError, Misconfigured):
            return None

    def close(self) -> None:
        """Let go of the folder; others that inherited the lock still hold it."""
        with contextlib.suppress(OSError):
            if (elsewhere := self.socket("any").parent) != self.path:
                elsewhere.rmdir()
        if memory := self._in_memory():
            shutil.rmtree(memory, ignore_errors=True)
        os.close(self.lock)


def open_folder(path: Path) -> DataFolder:
    """Create the folder if needed, make it private, and lock it until the process ends.

    Raises Misconfigured if another stack holds it, or it cannot be ours.
    """
    path = path.absolute()
    try:
        _make_private(path)
        (path / "log").mkdir(mode=0o700, exist_ok=True)
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise Misconfigured(f"the data folder {path} cannot be used: {problem.strerror}") from problem
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = (path / LOCK).read_text(encoding="utf-8").strip()
        os.close(lock)
        raise Misconfigured(
            f"the data folder {path} is in use by another Sluice{f' (process {holder})' if holder else ''}:"
            " stop that one, or set SLUICE_DATA_DIR to another folder"
        ) from None
    os.truncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return DataFolder(path, lock)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what a full or broken disk raises into Misconfigured."""
    try:
        yield
    except OSError as problem:
        where = problem.filename or path.absolute()
        raise Misconfigured(f"{where} cannot be written: {problem.strerror or problem}") from problem


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    half = file.with_name(file.name + ".new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        # A name must not be there before its text, should the power be cut.
        os.fsync(out.fileno())
    half.replace(file)


def short_socket(wanted: Path) -> Path:
    """Answer the path itself, or, when no socket can have so long a one, a stable short one for it.

    The short one lies in a folder of our own, mode 0700.  Raises Misconfigured if somebody else made that folder.
    """
    if len(os.fsencode(wanted)) <= LONGEST_SOCKET_PATH:
        return wanted
    return _own_folder(Path(tempfile.gettempdir()), str(wanted.parent)) / wanted.name


def _own_folder(parent: Path, owner: str) -> Path:
    """Create a private folder in a shared place, the same for the same owner.  Raises OSError, or Misconfigured."""
    folder = parent / f"sluice-{os.getuid()}-{hashlib.sha256(os.fsencode(owner)).hexdigest()[:12]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    # A folder made by another user in a shared place would let that user listen in.
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise Misconfigured(f"{folder} is not private to you: remove it, or choose a shorter SLUICE_DATA_DIR")
    return folder


def _make_private(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.stat().st_mode & 0o077:
        return
    # Closing a folder that holds other things, /tmp for example, would break those.
    if any(path.iterdir()) and not (path / LOCK).exists():
        raise Misconfigured(
            f"the data folder {path} holds other things and is open to other users:"
            " set SLUICE_DATA_DIR to a folder of its own, or close it: chmod 700"
        )
    path.chmod(0o700)
