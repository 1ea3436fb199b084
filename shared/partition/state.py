"""The state of partitions, for people and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.keys import keys_of
from shared.store import scripts
from shared.store.client import Store


@dataclass(frozen=True, slots=True)
class PartitionState:
    """The state of one partition."""

    #: Tasks that are queued or in progress, and the bytes of their payloads.
    tasks: int
    bytes: int
    #: Entries of these tasks that are not applied yet.
    entries: int
    #: Submission time of the oldest of these tasks.
    oldest_ms: int | None
    #: The task that is in progress, or next.
    head: int | None
    #: The worker that drains it.
    holder: str | None
    #: Stalls in a row: owners lost at this position.
    stalls: int
    #: No worker takes it up until an operator decides.
    stuck: bool

    def age_s(self, now_ms: int) -> float:
        """Return for how long the oldest task has waited; 0 if none waits."""
        return 0.0 if self.oldest_ms is None else max(0, now_ms - self.oldest_ms) / 1000


#: That of a partition in which nothing waits.
NOTHING = PartitionState(
    tasks=0, bytes=0, entries=0, oldest_ms=None, head=None, holder=None, stalls=0, stuck=False
)  # fmt: skip


def read_states(client: Store, catalog_keys: Sequence[str]) -> list[PartitionState]:
    """Read the state of any number of partitions in one round trip; raises StoreUnavailable."""
    replies = scripts.run_apart(client, *map(_look, catalog_keys))
    return [_state(*reply) for reply in replies]


def read_state(client: Store, catalog_key: str) -> PartitionState:
    """Read the state of one partition; raises StoreUnavailable."""
    [state] = read_states(client, [catalog_key])
    return state


def _look(catalog_key: str) -> scripts.Command:
    keys = keys_of(catalog_key)
    return scripts.READ_STATE.command(
        waiting=keys.waiting, position=keys.position, lease=keys.lease, stream=keys.stream, task=keys.task("")
    )


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
        # Only the head can be partly applied.
        entries=max(0, int(entries or 0) - int(head_done or 0)),
        oldest_ms=int(oldest_ms) if oldest_ms else None,
        head=int(head) if head else None,
        holder=holder.decode() if holder else None,
        stalls=len((lost or b"").split()),
        stuck=bool(stuck),
    )
