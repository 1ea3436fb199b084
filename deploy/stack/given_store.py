"""Check and describe the store that SLUICE_REDIS_URL names."""

from __future__ import annotations

from deploy.stack.services import without_password
from shared.doorbell import broker_url_for
from shared.errors import Misconfigured, StoreUnavailable
from shared.settings import Settings
from shared.store.client import check_server, connect
from shared.store.durability import check_store


def check_given_store(url: str, settings: Settings) -> None:
    """Raise Misconfigured, in one line and without a password, if the store will not do or is not there."""
    try:
        check_store(connect(url), settings.durability)
        if settings.broker_url is None:
            broker_url_for(url)
    except (StoreUnavailable, ValueError) as problem:
        raise Misconfigured(f"SLUICE_REDIS_URL ({without_password(url)}): {problem}") from problem


def store_note(url: str, settings: Settings) -> str:
    """Name the server and its version, and what may be lost with it."""
    store = connect(url)
    warnings = check_store(store, settings.durability)
    return " · ".join([check_server(store), *(f"WARNING: {warning}" for warning in warnings)])
