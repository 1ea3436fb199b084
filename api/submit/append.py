"""Append tasks to a partition and make sure that a worker will look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from api.services import Services
from shared.nonces import new_nonce
from shared.outbox.outbox import Outboxes
from shared.store.scripts import Command


class Appended(Protocol):
    """The reply of a script that appends tasks."""

    @property
    def ring(self) -> bool:
        """No worker drains, is awake or was notified lately."""


Reply = TypeVar("Reply", bound=Appended, covariant=True)


class Append(Protocol[Reply]):
    """A store call that appends tasks, with commands sent before and after it."""

    def __call__(self, *, now_ms: int, nonce: str, before: Sequence[Command], after: Sequence[Command]) -> Reply: ...


def append(
    services: Services, catalog_key: str, call: Append[Reply], *, nonce: str = "", may_mail: bool = False
) -> Reply:
    """Append tasks, add their catalog to the backlog, and send a wake-up unless a worker will look anyway.

    After a while without work the wake-up is sent first: a task that is refused then has woken a worker for nothing.

    ``may_mail``: a task may have addresses to notify, so its catalog's outbox is marked too.
    """
    now_ms = services.clock()
    outbox = [Outboxes.mark(catalog_key, now_ms)] if may_mail else []
    services.doorbell.ring_ahead(catalog_key)
    reply = call(
        now_ms=now_ms,
        nonce=nonce or new_nonce(),
        before=services.backlog.before_submit(catalog_key, now_ms) + outbox,
        after=services.backlog.after_submit(catalog_key, now_ms) + outbox,
    )
    if reply.ring:
        services.doorbell.ring(catalog_key)
    return reply
