"""Find free ports."""

from __future__ import annotations

import contextlib
import errno
import random
import socket

from shared.errors import Misconfigured

LOOPBACK = "127.0.0.1"
#: None that Linux or macOS, unless told otherwise, gives to an outgoing connection: that could be there just when a
#: server wants to listen, or to listen again.  And none of those that FTPS uses for data.
SERVER_PORTS = range(10_000, 30_000)
#: Of so many one is free, or the machine is full of servers.
TRIES = 100


def check_port(host: str, port: int, variable: str) -> None:
    """Raise Misconfigured, naming the setting to change, if nothing could listen there."""
    try:
        _try(host, port)
    except (OSError, OverflowError) as problem:
        if isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE:
            raise Misconfigured(f"port {port} on {host} is in use: end what uses it, or set {variable}") from problem
        raise Misconfigured(
            f"cannot listen on {host}, port {port}: {problem}; see SLUICE_HOST, {variable}"
        ) from problem


def free_port(host: str, wanted: int) -> int:
    """Answer the wanted port if it is free, otherwise one that is; 0 wants none.

    Raises OSError if nothing can listen there at all, Misconfigured if no free port was found.
    """
    if wanted:
        with contextlib.suppress(OSError):
            return _try(host, wanted)
    for port in random.SystemRandom().sample(SERVER_PORTS, TRIES):
        try:
            return _try(host, port)
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:
                raise
    raise Misconfigured(f"no free port was found on {host}")


def base_url(host: str, port: int, *, tls: bool = False) -> str:
    """Spell the URL under which this machine reaches a server that listens there."""
    here = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)
    scheme = "https" if tls else "http"
    return f"{scheme}://[{here}]:{port}" if ":" in here else f"{scheme}://{here}:{port}"


def _try(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # Connections of an earlier run that are still fading away do no harm.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        # On Linux a port that is only bound can be bound again; listening settles it.
        probe.listen(1)
        return int(probe.getsockname()[1])
