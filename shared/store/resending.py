"""The time limit for repeating a call.

A script answers a repeat with the first result as long as it knows the nonce of the call.  So whatever was sent once
is sent again only for less time than a nonce is kept: a process that was stopped in between, and wakes up much later,
gives up instead.  It may be stopped just before it sends, so a repeat also says until when it counts, by the clock of
the store, which refuses it afterwards.
"""

from __future__ import annotations

import time
from contextvars import ContextVar

import redis

#: Seconds after which a call is not sent again.
AGAIN_WITHIN_S = 30.0
#: How long a repeat may be on its way.
ARRIVES_WITHIN_MS = 30_000


class CallNonce(str):
    """The nonce of a call that the store carries out once, as long as it knows the nonce."""

    __slots__ = ()

    def until(self, deadline_ms: int) -> str:
        """Name the call for a repeat, which counts until then, by the store's clock."""
        return f"{self}+{deadline_ms}"


class _Call:
    """A call and its repeats."""

    __slots__ = ("lost", "sent")

    def __init__(self) -> None:
        #: When it was sent first; None: not yet.
        self.sent: tuple[float, float] | None = None
        #: An answer to it was lost.
        self.lost = False


_call: ContextVar[_Call | None] = ContextVar("call", default=None)


class OneCall:
    """Takes whatever is sent within for one call and its repeats; within another, for a part of that one."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = _call.set(_Call()) if _call.get() is None else None

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _call.reset(self._token)


def note_lost() -> None:
    """Note that an answer to this call did not come: what was sent may have taken effect."""
    if (call := _call.get()) is not None:
        call.lost = True


def is_repeat() -> bool:
    """Return whether this call may have taken effect already."""
    call = _call.get()
    return call is not None and call.lost


def about_to_send() -> None:
    """Note the first sending; raise redis.TimeoutError if another would be too late."""
    call = _call.get()
    if call is None:
        return
    now = _clocks()
    if call.sent is None:
        call.sent = now
    elif max(here - there for here, there in zip(now, call.sent, strict=True)) > AGAIN_WITHIN_S:
        raise redis.TimeoutError("too late to send it again")


def _clocks() -> tuple[float, float]:
    """Read two clocks: the one does not go on while a machine sleeps, the other may be set back."""
    return time.monotonic(), time.time()
