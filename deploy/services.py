"""The services of a stack: their names, when each is ready, and what a person is told about it."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from enum import StrEnum


class Name(StrEnum):
    """A service, by its name in supervisor.conf and in the log folder."""

    #: The embedded valkey-server; not there when SLUICE_REDIS_URL names another.
    STORE = "store"
    #: gunicorn with the API.
    INGRESS = "ingress"
    #: Celery with the drain processes.
    WORKER = "worker"
    FLOWER = "flower"


#: No new batches first, then those being applied, then the screens, and the store when nobody writes any more.
STOP_ORDER = (Name.INGRESS, Name.WORKER, Name.FLOWER, Name.STORE)


@dataclass(frozen=True, slots=True)
class Service:
    """A service that is ready."""

    name: Name
    url: str
    #: What a person wants to know beside the URL.
    note: str


def answers_ok(url: str) -> bool:
    """Say whether a GET is answered with 200."""
    # Straight to this machine, whatever proxy the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False
