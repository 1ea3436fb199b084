"""How partitions look from outside: for people and for metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared import scripts
from shared.keys import CatalogKeys
from shared.store import Store


@dataclass(frozen=True, slots=True)
class PartitionState:
    """One partition, at a glance."""

    #: Tasks that wait or are being applied, and the bytes of their payloads.
    tasks: int
    bytes: int
    #: Their entries that are not applied yet.
    entries: int
    #: When the oldest of them was submitted.
    oldest_ms: int | None
    #: The task that comes next, or is being applied.
    head: int | None
    #: Who drains it.
    holder: str | None
    #: Owners lost in a row at this position.
    stalls: int
    #: Nobody takes it up any more before an operator has looked.
    stuck: bool

    def age_s(self, now_ms: int) -> float:
        """Tell how long the oldest task has waited, 0 if none does."""
        return 0.0 if self.oldest_ms is None else max(0, now_ms - self.oldest_ms) / 1000


def read_states(client: Store, catalog_keys: Sequence[str]) -> list[PartitionState]:
    """Look at partitions, any number in one round trip; raises StoreUnavailable."""
    replies = scripts.run_apart(client, *map(_look, catalog_keys))
    return [_state(*reply) for reply in replies]


def _look(catalog_key: str) -> scripts.Command:
    keys = CatalogKeys(catalog_key)
    return scripts.READ_STATE.command((keys.waiting, keys.position, keys.lease, keys.stream, keys.task("")), ())


def _state(
    tasks: bytes | None,
    payload_bytes: bytes | None,
    entries: bytes | None,
    head: bytes | None,
    oldest_ms: bytes | None,
    head_done: bytes | None,
    holder: bytes | None,
    lost: bytes | None,
    stuck: bytes | None,
) -> PartitionState:
    return PartitionState(
        tasks=int(tasks or 0),
        bytes=int(payload_bytes or 0),
        # Only the head may be half done.
        entries=max(0, int(entries or 0) - int(head_done or 0)),
        oldest_ms=int(oldest_ms) if oldest_ms else None,
        head=int(head) if head else None,
        holder=holder.decode() if holder else None,
        stalls=len((lost or b"").split()),
        stuck=bool(stuck),
    )
