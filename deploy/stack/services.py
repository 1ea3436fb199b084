"""The services of a stack: names, readiness, descriptions for people."""

from __future__ import annotations

import re
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from deploy.stack.ports import base_url


class Name(StrEnum):
    """A service, by its name in supervisor.conf and in the log folder."""

    #: The embedded valkey-server; not there when SLUICE_REDIS_URL names another.
    STORE = "store"
    #: gunicorn with the API.
    INGRESS = "ingress"
    #: Celery with the drain processes.
    WORKER = "worker"
    FLOWER = "flower"
    #: Celery with the deliveries to sinks; there if SLUICE_SINKS is set.
    SINKS = "sinks"
    #: Takes catalogue files; there if SLUICE_FTPS_PORT is set.
    FTPS = "ftps"


#: No new batches first, then those being applied, then the screens, and the store when nobody writes any more.
STOP_ORDER = (Name.INGRESS, Name.FTPS, Name.WORKER, Name.SINKS, Name.FLOWER, Name.STORE)


@dataclass(frozen=True, slots=True)
class Service:
    """A service that is ready."""

    name: Name
    url: str
    #: What a person wants to know beside the URL.
    note: str


def greets(host: str, port: int) -> bool:
    """Return whether an FTP server answers."""
    here = urlsplit(base_url(host, port)).hostname
    try:
        with socket.create_connection((here, port), timeout=2) as connection:
            return connection.recv(4) == b"220 "
    except OSError:
        return False


def without_password(url: str) -> str:
    """Spell a URL so that it can be shown, wherever its password stands."""
    shown = re.sub(r"(://[^/@]*?:).*@", r"\1***@", url)
    return re.sub(r"([?&]\w*password=)[^&]*", r"\1***", shown, flags=re.IGNORECASE)


def answers_ok(url: str) -> bool:
    """Return whether a GET is answered with 200."""
    # Straight to this machine, whatever proxy the environment names.
    # Whether it works is asked, not who it is: its certificate names the public host.
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=unchecked)
    )
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False
