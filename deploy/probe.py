"""Probe a service of this host: ``python -m deploy.probe ingress|worker`` exits with 0 if it works.

For container engines.  The ingress is called; a worker must have a recent heartbeat in the store.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence

from deploy.stack.ports import base_url
from deploy.stack.services import Name, answers_ok
from shared.clock import now_ms
from shared.errors import SluiceError
from shared.partition.heartbeats import Heartbeats
from shared.settings import Settings
from shared.store.client import connect


def works(name: Name, settings: Settings) -> bool:
    """Return whether the service works; raises StoreUnavailable if the store is needed and does not answer."""
    if name is Name.INGRESS:
        return answers_ok(base_url(settings.host, settings.port, tls=settings.tls_cert is not None) + "/health/live")
    alive = Heartbeats(connect(settings.redis_url or "")).alive(now_ms())
    return any(holder.rpartition(":")[0] == socket.gethostname() for holder in alive)


def main(arguments: Sequence[str]) -> int:
    """Return the exit status."""
    try:
        return 0 if works(Name(arguments[0]), Settings.from_env(os.environ)) else 1
    except (SluiceError, ValueError, IndexError) as problem:
        print(f"sluice: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
