"""Webhooks: whom to tell when tasks of a catalog end."""

from __future__ import annotations

import base64
import ipaddress
import re
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from shared.addresses import is_public
from shared.codec import encode_json
from shared.errors import SluiceError
from shared.keys import CatalogKeys
from shared.outbox import Outboxes
from shared.scripts import run
from shared.store import Store

#: Webhooks that one catalog may have.
MOST = 10
URL_LENGTH = 2000

#: What a secret looks like; the rest is base64.
SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32


class BadWebhook(SluiceError):
    """Such a webhook cannot be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Webhook:
    id: str
    url: str
    #: With what it is signed.
    secret: str
    created_ms: int


_decode = msgspec.json.Decoder(Webhook).decode


class Webhooks:
    """The webhooks of one catalog.  Every call raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._catalog_key = catalog_key
        self._key = CatalogKeys(catalog_key).webhooks

    def all(self) -> list[Webhook]:
        """List them, oldest first."""
        [values] = run(self._client, ("HVALS", self._key))
        return sorted(map(_decode, values), key=lambda webhook: (webhook.created_ms, webhook.id))

    def get(self, webhook_id: str) -> Webhook | None:
        [value] = run(self._client, ("HGET", self._key, webhook_id))
        return None if value is None else _decode(value)

    def add(self, url: str, *, private: bool, now_ms: int) -> Webhook:
        """Make a webhook with a secret of its own; it is told of every task that ends from now on.

        Raises BadWebhook if the URL will not do, or there are too many.
        """
        check_url(url, private=private)
        if len(self.all()) >= MOST:
            raise BadWebhook(f"a key may have {MOST} webhooks")
        secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        webhook = Webhook("wh_" + secrets.token_hex(6), url, secret, now_ms)
        mark = Outboxes.mark(self._catalog_key, now_ms)
        run(self._client, mark, ("HSET", self._key, webhook.id, encode_json(webhook)), mark)
        return webhook

    def remove(self, webhook_id: str) -> bool:
        """Remove a webhook, and with it whatever it was still to be told; False if there is none of that id."""
        [removed] = run(self._client, ("HDEL", self._key, webhook_id))
        return bool(removed)


def check_url(url: str, *, private: bool) -> None:
    """Raise BadWebhook unless this can be called; where a name leads to is looked at with each call."""
    if len(url) > URL_LENGTH or not re.fullmatch(r"[\x21-\x7e]+", url):
        raise BadWebhook(f"a URL has at most {URL_LENGTH} characters, visible ones of ASCII")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadWebhook("this is not a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise BadWebhook("a URL begins with https:// or http:// and has a host")
    if parts.username is not None or parts.fragment:
        raise BadWebhook("neither a user nor a fragment may stand in a URL")
    if not private and _is_private(host):
        raise BadWebhook("private addresses are not called (SLUICE_WEBHOOK_PRIVATE)")


def _is_private(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return not is_public(host)
