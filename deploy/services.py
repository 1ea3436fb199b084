"""The services of a stack: their names, when each is ready, and what a person is told about it."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from deploy.ports import base_url


class Name(StrEnum):
    """A service, by its name in supervisor.conf and in the log folder."""

    #: The embedded valkey-server; not there when SLUICE_REDIS_URL names another.
    STORE = "store"
    #: gunicorn with the API.
    INGRESS = "ingress"
    #: Celery with the drain processes.
    WORKER = "worker"
    FLOWER = "flower"
    #: Takes catalogue files; there if SLUICE_FTPS_PORT is set.
    FTPS = "ftps"


#: No new batches first, then those being applied, then the screens, and the store when nobody writes any more.
STOP_ORDER = (Name.INGRESS, Name.FTPS, Name.WORKER, Name.FLOWER, Name.STORE)


@dataclass(frozen=True, slots=True)
class Service:
    """A service that is ready."""

    name: Name
    url: str
    #: What a person wants to know beside the URL.
    note: str


def greets(host: str, port: int) -> bool:
    """Say whether an FTP server is there."""
    here = urlsplit(base_url(host, port)).hostname
    try:
        with socket.create_connection((here, port), timeout=2) as connection:
            return connection.recv(4) == b"220 "
    except OSError:
        return False


def without_password(url: str) -> str:
    """Spell a URL so that it can be shown."""
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":***@") if parts.password else url


def answers_ok(url: str) -> bool:
    """Say whether a GET is answered with 200."""
    # Straight to this machine, whatever proxy the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False
