"""Decide which requests are short work, whatever is in them: one thread serves all of these."""

from __future__ import annotations

from collections.abc import Callable

from shared.settings import Settings

#: Small writes to these take half a millisecond each.
_SMALL_WRITES = (b"/v2/items", b"/v2/variations", b"/v2/item_groups")
_WRITES = frozenset((b"PUT", b"PATCH", b"DELETE"))
_SMALL_BYTES = 16 * 1024
#: It asks nobody.
_ALIVE = b"/health/live"


def quick_requests(settings: Settings) -> Callable[[bytes, bytes, int], bool]:
    """Tell whether a request is a small write, or asks only whether this process lives."""
    # Calls over TLS, and those that wait for replicas, share no connection: on a thread of their own they cost less.
    shares = not (settings.redis_url or "").startswith("rediss") and not settings.min_replicas

    def is_quick(method: bytes, target: bytes, body_bytes: int) -> bool:
        is_small_write = method in _WRITES and body_bytes <= _SMALL_BYTES and target.startswith(_SMALL_WRITES)
        # A dry run compares with what is stored, which may be long.
        return (shares and is_small_write and b"dry_run" not in target) or target == _ALIVE

    return is_quick
