"""Number the runs of the store's servers, so that task ids stay unique across crashes.

A restarted server may have lost its last second, with the ids assigned in it, or even all of a catalog; so may one that
was restored from a backup or replaces its master.  So each run assigns ids of its own: in every catalog they begin
higher for each run since, and for all the time in which there may have been runs that the store does not know of.  This
depends on the run's number, which must not be lost itself: it is in the server's log before the first id is assigned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any
from weakref import WeakKeyDictionary

import redis
import structlog

from shared import keys
from shared.errors import OtherRun, StoreUnavailable
from shared.store import scripts
from shared.store.client import Store
from shared.store.lines import together
from shared.store.resending import OneCall
from shared.waiting import wait_until

log = structlog.get_logger()

#: How long writing the log may take; it happens every second.
LOG_MS = 4_000
#: Seconds after which the log is written by a server that cannot confirm it.
UNASKED_S = 2.0

#: Run id: number; the few that this process has met.
_numbers: dict[str, str] = {}

#: Ids of runs that have a number, as this process has seen.
_noted: set[str] = set()

#: Seconds between two heartbeats of a store, while it assigns ids.
ALIVE_EVERY_S = 0.5

#: Store: when this process last recorded a heartbeat of it.
_alive_noted_s: WeakKeyDictionary[Store, float] = WeakKeyDictionary()

#: How long replicas have to confirm a write.
REPLICATED_MS = 1_000


def write(
    store: Store,
    command: Callable[[str], scripts.Command],
    *,
    replicas: int,
    before: Sequence[scripts.Command],
    after: Sequence[scripts.Command],
) -> list[Any]:
    """Send a command that assigns task ids, between others, as `scripts.run`; returns all replies.

    ``command`` writes it, given what is known of the runs; if it needs the number of a run that is not known here yet,
    that is looked up and everything is sent again.  The replies come once so many ``replicas`` have it.  Raises
    StoreUnavailable if they do not in time: it may hold nevertheless, as when an answer is lost.
    """
    # In the same round trip and over the same connection: it waits for what the command wrote.
    wait = [("WAIT", replicas, REPLICATED_MS)] if replicas else []
    signs = _signs_of_life(store)
    with OneCall():
        try:
            # A line on which a call waits for replicas would hold up all others.
            with together() if not wait else nullcontext():
                replies = scripts.run(store, *signs, *before, command(_known()), *wait, *after)
        except OtherRun as other:
            if other.run not in _numbers:
                _numbers[other.run] = _lasting_number(store, other.run)
            replies = scripts.run(store, *signs, *before, command(_known()), *wait, *after)
    replies = replies[len(signs) :]
    if wait and (reached := replies.pop(len(before) + 1)) < replicas:
        raise StoreUnavailable(f"{reached} of {replicas} replicas have it")
    return replies


def note_run(store: Store, run_id: str = "") -> None:
    """Number a current run, unless it has a number; without an id, the one of the shared keys, each time.

    A run that has a number is only read, so a server that refuses writes is no obstacle.  A new number is not waited
    for: a crash may take it back.
    """
    if run_id in _noted:
        return
    if not (run_id and scripts.run(store, ("HEXISTS", keys.STORE_RUNS, run_id)) == [1]):
        scripts.run(store, _number_run(run_id))
    if run_id:
        _noted.add(run_id)


def _signs_of_life(store: Store) -> list[scripts.Command]:
    """Build the command that records a heartbeat of the store, before what is written now, once in a while.

    Whatever it may lose one day is later than what it has noted.
    """
    now_s = time.monotonic()
    if now_s - _alive_noted_s.get(store, -ALIVE_EVERY_S) < ALIVE_EVERY_S:
        return []
    _alive_noted_s[store] = now_s
    return [_number_run("")]


def _known() -> str:
    # A copy: another thread may learn of a run meanwhile.
    return "".join(f"{run_id} {number} " for run_id, number in list(_numbers.items()))


def _lasting_number(store: Store, run_id: str) -> str:
    """Return the number of a current run, higher than those of all earlier runs.

    When this returns, no crash of the server can take it back.  Raises StoreUnavailable if that cannot be had.
    """
    command = _number_run(run_id)
    try:
        number, [written, _] = scripts.run(store, command, ("WAITAOF", 1, 0, LOG_MS))
    except redis.ResponseError as error:
        [number], written = scripts.run(store, command), True
        # Without a log there is nothing to wait for; servers before Redis 7.2 cannot confirm it.
        if "appendonly is disabled" not in str(error):
            end = time.monotonic() + UNASKED_S
            wait_until(lambda: time.monotonic() >= end, "the log is written out", timeout_s=2 * UNASKED_S)
    if not written:
        raise StoreUnavailable("the store's log is not written out")
    log.info("store run numbered", action="number_run", run=run_id, number=number.decode())
    return str(number.decode())


def _number_run(run_id: str) -> scripts.Command:
    return scripts.NUMBER_RUN.command(store_runs=keys.STORE_RUNS, run_id=run_id)
