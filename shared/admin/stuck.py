"""Settle a stuck partition, whose head stalls again and again and has effects already."""

from __future__ import annotations

from enum import StrEnum

from shared.errors import NotStuck
from shared.keys import CatalogKeys
from shared.nonces import new_nonce
from shared.partition.tail import NONCE_TTL_MS
from shared.settings import Settings
from shared.store import scripts
from shared.store.client import Store
from shared.store.memory import reserved_key
from shared.store.resending import CallNonce


class Decision(StrEnum):
    #: Try again, with as many attempts as at first.
    RETRY = "RETRY"
    #: End the task as FAILED; what was applied of it stays, and its error says how much that is.
    SKIP = "SKIP"


def settle_stuck(
    client: Store, settings: Settings, catalog_key: str, decision: Decision, *, who: str, now_ms: int
) -> int:
    """Decide about the task at the head, which is returned; its record keeps who decided.

    The partition is free at once, and the next sweep takes it up.  Raises NotStuck if there is nothing to decide.
    """
    message = f"IngestionError: given up by {who} after it had stalled again and again; what was applied stays: "
    keys = CatalogKeys(catalog_key)
    command = scripts.SETTLE_STUCK.command(
        keys.partition,
        reserved=reserved_key(client, keys),
        nonce=CallNonce(new_nonce()),
        decision=decision,
        who=who,
        now_ms=now_ms,
        nonce_ttl_ms=NONCE_TTL_MS,
        kept_cap_bytes=settings.payload_bytes,
        message=message,
    )
    [[code, task_id]] = scripts.run(client, command)
    if code != b"SETTLED":
        raise NotStuck(f"the partition {catalog_key!r} is not stuck")
    return int(task_id)
