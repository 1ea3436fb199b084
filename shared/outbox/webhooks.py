"""Webhooks: the URLs that are called when tasks of a catalog end."""

from __future__ import annotations

import base64
import ipaddress
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import msgspec

from shared.codec import encode_json
from shared.errors import SluiceError
from shared.idempotency import IdempotencyKey
from shared.keys import CatalogKeys
from shared.model import Kind, Status
from shared.outbox.outbox import Outboxes
from shared.outbox.public_addresses import is_public
from shared.store.client import Store
from shared.store.members import refuse_used, write_member
from shared.store.scripts import Command, run
from shared.tasks.records import Task

#: Most webhooks of one catalog.
MOST = 10
URL_LENGTH = 2000

#: Prefix of a secret; the rest is base64.
SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32


class BadWebhook(SluiceError):
    """The webhook cannot be created; the text says why."""


@dataclass(frozen=True, slots=True)
class Webhook:
    id: str
    url: str
    #: The signing key.
    secret: str
    created_ms: int
    #: The secret before, with which it is signed too until this moment; empty: there was none.
    previous_secret: str = ""
    previous_until_ms: int = 0
    #: Of which tasks it is told; empty: of all.
    statuses: tuple[Status, ...] = ()
    kinds: tuple[Kind, ...] = ()
    sections: tuple[str, ...] = ()
    #: Whether nothing is sent until it is resumed.
    paused: bool = False
    #: Who gets a mail when it is given up.
    notification_emails: tuple[str, ...] = ()

    def secrets(self, now_ms: int) -> list[str]:
        """List the secrets with which a call is signed now, the newest first."""
        return [self.secret, *([self.previous_secret] if now_ms < self.previous_until_ms else [])]

    def wants(self, task: Task) -> bool:
        """Return whether it is told of a task."""
        batch = task.batch
        return (
            (not self.statuses or task.status in self.statuses)
            and (not self.kinds or not set(self.kinds).isdisjoint(batch.kinds))
            and (not self.sections or batch.section in self.sections)
        )


_decode = msgspec.json.Decoder(Webhook).decode


class Webhooks:
    """The webhooks of one catalog.  Every call raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._catalog_key = catalog_key
        self._keys = CatalogKeys(catalog_key)

    def all(self) -> list[Webhook]:
        """List them, oldest first."""
        [values] = run(self._client, ("HVALS", self._keys.webhooks))
        return sorted(map(_decode, values), key=lambda webhook: (webhook.created_ms, webhook.id))

    def get(self, webhook_id: str) -> Webhook | None:
        [value] = run(self._client, ("HGET", self._keys.webhooks, webhook_id))
        return None if value is None else _decode(value)

    def add(self, url: str, *, private: bool, now_ms: int) -> Webhook:
        """Create a webhook, as `add_once`."""
        return self.add_once(url, private=private, now_ms=now_ms)[0]

    def add_once(
        self, url: str, *, private: bool, now_ms: int, idempotency: IdempotencyKey | None = None, **wishes: Any
    ) -> tuple[Webhook, bool]:
        """Create a webhook with its own secret; it is called for the tasks that end from now on and that it wants.

        ``wishes`` are fields of it.
        A repeat with the same Idempotency-Key gets the webhook of the first; whether it was one is told beside it.
        Raises BadWebhook if the URL will not do, or there are too many, and KeyUsed.
        """
        check_url(url, private=private)
        webhook = Webhook("wh_" + secrets.token_hex(6), url, _new_secret(), now_ms, **wishes)
        mark = Outboxes.mark(self._catalog_key, now_ms)
        _, (code, written), _ = run(
            self._client, mark, self._write(webhook.id, encode_json(webhook), idempotency), mark
        )
        if code == b"TOO_MANY":
            raise BadWebhook(f"a key may have at most {MOST} webhooks")
        refuse_used(code)
        return _decode(written), code == b"REPEATED"

    def rotate(self, webhook_id: str, *, now_ms: int, overlap_ms: int) -> Webhook | None:
        """Give a webhook a new secret, as `rotate_once`."""
        return self.rotate_once(webhook_id, now_ms=now_ms, overlap_ms=overlap_ms)[0]

    def rotate_once(
        self, webhook_id: str, *, now_ms: int, overlap_ms: int, idempotency: IdempotencyKey | None = None
    ) -> tuple[Webhook | None, bool]:
        """Give a webhook a new secret; calls are signed with the old one too for ``overlap_ms`` more.

        None if there is none of that id; a repeat is told as in `add_once`.  Raises KeyUsed.
        """
        new, until_ms = _new_secret(), now_ms + overlap_ms
        return self._change(
            webhook_id,
            lambda old: replace(old, secret=new, previous_secret=old.secret, previous_until_ms=until_ms),
            idempotency,
        )

    def change_once(
        self, webhook_id: str, *, private: bool, idempotency: IdempotencyKey | None = None, **wishes: Any
    ) -> tuple[Webhook | None, bool]:
        """Change fields of a webhook; None and a repeat as in `rotate_once`.  Raises BadWebhook and KeyUsed."""
        if "url" in wishes:
            check_url(wishes["url"], private=private)
        return self._change(webhook_id, lambda old: replace(old, **wishes), idempotency)

    def _change(
        self, webhook_id: str, new_from: Callable[[Webhook], Webhook], idempotency: IdempotencyKey | None
    ) -> tuple[Webhook | None, bool]:
        """Write a webhook anew; again, if it was changed between the read and the write."""
        while True:
            [was] = run(self._client, ("HGET", self._keys.webhooks, webhook_id))
            new = b"" if was is None else encode_json(new_from(_decode(was)))
            # A repeat may come after the removal: what is not there is asked for all the same.
            command = self._write(webhook_id, new, idempotency, was=was or b"-")
            [(code, written)] = run(self._client, command)
            if code != b"CHANGED":
                break
        refuse_used(code)
        return (None if code == b"NOT_FOUND" else _decode(written)), code == b"REPEATED"

    def remove(self, webhook_id: str) -> bool:
        """Remove a webhook, as `remove_once`; False if there is none with this id."""
        return self.remove_once(webhook_id)[0]

    def remove_once(self, webhook_id: str, *, idempotency: IdempotencyKey | None = None) -> tuple[bool, bool]:
        """Remove a webhook and its pending deliveries.

        The first value is False if there is none of that id, the second tells a repeat as in `add_once`.
        Raises KeyUsed.
        """
        of = self._keys
        (code, _), *_ = run(
            self._client,
            self._write(webhook_id, b"", idempotency),
            ("UNLINK", of.target(webhook_id)),
            ("ZREM", of.targets, webhook_id),
            ("HDEL", of.troubles, webhook_id),
        )
        refuse_used(code)
        return code != b"NOT_FOUND", code == b"REPEATED"

    def _write(
        self, webhook_id: str, webhook: bytes, idempotency: IdempotencyKey | None, *, was: bytes = b""
    ) -> Command:
        return write_member(
            self._keys, self._keys.webhooks, webhook_id, webhook, most=MOST, was=was, idempotency=idempotency
        )


def _new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def check_url(url: str, *, private: bool) -> None:
    """Raise BadWebhook unless the URL is valid; the addresses of its host are checked at each call."""
    if len(url) > URL_LENGTH or not re.fullmatch(r"[\x21-\x7e]+", url):
        raise BadWebhook(f"a URL has at most {URL_LENGTH} visible ASCII characters")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadWebhook("this is not a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise BadWebhook("a URL begins with https:// or http:// and has a host")
    if parts.username is not None or parts.fragment:
        raise BadWebhook("a URL must not have a user or a fragment")
    if not private and _is_private(host):
        raise BadWebhook("private addresses are not called (SLUICE_WEBHOOK_PRIVATE)")


def _is_private(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return not is_public(host)
