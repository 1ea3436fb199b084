"""Replicas of the store: a write that somebody waits for can be had on some of them before it is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared import scripts, store_runs
from shared.errors import StoreUnavailable
from shared.store import Store

#: How long they have to confirm it.
WITHIN_MS = 1_000


def write(
    store: Store,
    command: scripts.Command,
    *,
    wanted: int,
    before: Sequence[scripts.Command],
    after: Sequence[scripts.Command],
) -> list[Any]:
    """Send a command that gives out a task id, between others; the replies come once so many replicas have it.

    Raises StoreUnavailable if they do not in time: it may hold nevertheless, as when an answer is lost.
    """
    if not wanted:
        return store_runs.run(store, *before, command, *after)
    # In the same round trip and over the same connection: it waits for what that one wrote.
    replies = store_runs.run(store, *before, command, ("WAIT", wanted, WITHIN_MS), *after)
    if (reached := replies.pop(len(before) + 1)) < wanted:
        raise StoreUnavailable(f"{reached} of {wanted} replicas have it")
    return replies
