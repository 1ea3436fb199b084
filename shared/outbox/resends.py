"""Call a webhook on request: a ping, or tasks once more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from shared.idempotency import IDEMPOTENCY_TTL_MS, UNNAMED, IdempotencyKey
from shared.keys import CatalogKeys
from shared.outbox.outbox import PING, DeliveryOutcome, Outbox, OutboxEntry, Outboxes
from shared.outbox.webhooks import Webhook
from shared.store.client import Store
from shared.store.members import refuse_used
from shared.store.scripts import QUEUE_ENTRIES, run
from shared.tasks.records import Tasks

#: Most tasks of one request; a request for more says so.
MOST = 1000


class Queued(NamedTuple):
    """What was queued."""

    tasks: int
    #: Time at which the last of them ended, if there are more, ms.
    until_ms: int | None
    repeated: bool


def ping(
    client: Store, catalog_key: str, webhook: Webhook, *, now_ms: int, idempotency: IdempotencyKey | None = None
) -> bool:
    """Have a webhook called with a ping, before all that waits; returns whether it was a repeat.  Raises KeyUsed."""
    entry = OutboxEntry(PING, webhook.id)
    # In front of everything.
    return _queue(client, catalog_key, [entry], webhook, now_ms, 0, "ping", idempotency, forgives=False)[1]


def resend(
    client: Store, catalog_key: str, webhook: Webhook, task_id: int, /, *, now_ms: int,
    idempotency: IdempotencyKey | None = None,
) -> Queued:  # fmt: skip
    """Have a webhook told of an ended task once more, whether it wants such tasks or not.  Raises KeyUsed."""
    entries = [OutboxEntry(task_id, webhook.id)]
    _, repeated = _queue(client, catalog_key, entries, webhook, now_ms, now_ms, "1 -", idempotency)
    return Queued(1, None, repeated)


def resend_since(
    client: Store, catalog_key: str, webhook: Webhook, since_ms: int, /, *, now_ms: int,
    idempotency: IdempotencyKey | None = None,
) -> Queued:  # fmt: skip
    """Have a webhook told of the tasks that ended since a time, except those that the delivery log has as delivered.

    Raises KeyUsed.
    """
    of, tasks = CatalogKeys(catalog_key), Tasks(client, catalog_key)
    [found] = run(client, ("ZRANGE", of.ended, since_ms, "+inf", "BYSCORE", "LIMIT", 0, MOST + 1))
    delivered = {
        attempt.task_id
        for attempt in Outbox(client, catalog_key).attempts()
        if attempt.target == webhook.id and attempt.outcome is DeliveryOutcome.DELIVERED
    }
    ended = [task for task in tasks.get_many([int(member) for member in found]) if task is not None]
    wanted = [
        OutboxEntry(task.id, webhook.id) for task in ended[:MOST] if task.id not in delivered and webhook.wants(task)
    ]
    until = str(ended[MOST].updated_ms) if len(ended) > MOST else "-"
    answer, repeated = _queue(
        client, catalog_key, wanted, webhook, now_ms, now_ms, f"{len(wanted)} {until}", idempotency
    )
    count, until = answer.split()
    return Queued(int(count), None if until == "-" else int(until), repeated)


def _queue(
    client: Store, catalog_key: str, entries: Sequence[OutboxEntry], webhook: Webhook, now_ms: int, due_ms: int,
    answer: str, idempotency: IdempotencyKey | None, *, forgives: bool = True,
) -> tuple[str, bool]:  # fmt: skip
    of, named = CatalogKeys(catalog_key), idempotency or UNNAMED
    mark = Outboxes.mark(catalog_key, now_ms)
    command = QUEUE_ENTRIES.command(
        queue=of.target(webhook.id),
        targets=of.targets,
        troubles=of.troubles,
        idempotency=of.idempotency(named.scope_digest),
        target=webhook.id,
        now_ms=now_ms,
        due_ms=due_ms,
        forgives=int(forgives),
        answer=answer,
        digest=named.request_digest,
        idempotency_ttl_ms=IDEMPOTENCY_TTL_MS,
        entries=[entry.member for entry in entries],
    )
    _, (code, first), _ = run(client, mark, command, mark)
    refuse_used(code)
    return first.decode(), code == b"REPEATED"
