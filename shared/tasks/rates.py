"""Rates: entries accepted and applied per minute."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from shared.keys import keys_of
from shared.store import scripts
from shared.store.client import Store

MINUTE_MS = 60_000
#: Minutes that can be looked back at.
MINUTES = 60

_HOUR = struct.Struct(">120I")


@dataclass(frozen=True, slots=True)
class Rates:
    """Entries in each of the last MINUTES minutes, oldest first; the last one is not over yet."""

    accepted: list[int]
    applied: list[int]


def read_rates(client: Store, catalog_keys: Sequence[str], *, now_ms: int) -> list[Rates]:
    """Read the rates of catalogs, any number in one round trip; raises StoreUnavailable."""
    hour, minute = divmod(now_ms // MINUTE_MS, MINUTES)
    keys = map(keys_of, catalog_keys)
    hours = scripts.run_apart(client, *(("MGET", of.minutes(hour - 1), of.minutes(hour)) for of in keys))
    return [_rates(before, now, minute) for before, now in hours]


def per_second(minutes: Sequence[int], now_ms: int) -> float:
    """Average the last one to two minutes: the one that is over, and what there is of the present one."""
    return sum(minutes[-2:]) / (MINUTE_MS + now_ms % MINUTE_MS) * 1000


def add_up(rates: Sequence[Rates]) -> Rates:
    """Sum the rates of several catalogs."""
    zeros = [0] * MINUTES
    some = [each for each in rates if each is not _NONE]
    return Rates(
        [sum(minute) for minute in zip(*(each.accepted for each in some), zeros, strict=True)],
        [sum(minute) for minute in zip(*(each.applied for each in some), zeros, strict=True)],
    )


_NONE = Rates([0] * MINUTES, [0] * MINUTES)


def _rates(before: bytes | None, now: bytes | None, minute: int) -> Rates:
    if not before and not now:
        return _NONE
    earlier, later = _unpacked(before), _unpacked(now)
    since = minute + 1
    return Rates(
        [*earlier[since:MINUTES], *later[:since]],
        [*earlier[MINUTES + since :], *later[MINUTES : MINUTES + since]],
    )


def _unpacked(stored: bytes | None) -> tuple[int, ...]:
    """Read the numbers of an hour; trailing zeros are not stored."""
    return _HOUR.unpack((stored or b"").ljust(_HOUR.size, b"\0"))
