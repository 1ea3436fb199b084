"""Whether a service of this host works: ``python -m deploy.probe ingress|worker``, status 0 if it does.

For container engines: the ingress is asked itself; of a worker a sign of life has to be in the store.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence

from deploy.ports import base_url
from deploy.services import Name, answers_ok
from shared.clock import now_ms
from shared.errors import SluiceError
from shared.heartbeats import Heartbeats
from shared.settings import Settings
from shared.store import connect


def works(name: Name, settings: Settings) -> bool:
    """Ask; raises StoreUnavailable if the store has to know and does not answer."""
    if name is Name.INGRESS:
        return answers_ok(base_url(settings.host, settings.port) + "/health/live")
    alive = Heartbeats(connect(settings.redis_url or "")).alive(now_ms())
    return any(holder.rpartition(":")[0] == socket.gethostname() for holder in alive)


def main(arguments: Sequence[str]) -> int:
    """Say it in the status."""
    try:
        return 0 if works(Name(arguments[0]), Settings.from_env(os.environ)) else 1
    except (SluiceError, ValueError, IndexError) as problem:
        print(f"sluice: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
