"""The runs of the store's servers, numbered.

A server that comes back may have lost its last second, and with it the ids it gave out in it, or all of a catalog.  So
each run gives out ids of its own: in every catalog they begin further up for each run that has begun since.  That hangs
on the number of the run, which must not be lost itself: it is in the server's log before the first id is given out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import redis
import structlog

from shared import keys, scripts
from shared.errors import OtherRun, StoreUnavailable
from shared.store import Store
from shared.waiting import wait_until

log = structlog.get_logger()

#: How long the log may take; it is written out every second.
LOG_MS = 4_000
#: Seconds after which the log of a server that cannot be asked has been written out.
UNASKED_S = 2.0

#: Run id → number; a few of this process's time.
_numbers: dict[str, int] = {}

#: Stands among the arguments of a command for what is known of the runs, as scripts that give out task ids read it.
RUNS = "<what is known of the runs>"


def run(store: Store, *commands: scripts.Command) -> list[Any]:
    """Send commands, as `scripts.run` does, one of which gives out task ids and has RUNS among its arguments.

    If it needs the number of a run that is not known here yet, that is looked up and everything is sent again.
    """
    try:
        return scripts.run(store, *_with_runs(commands))
    except OtherRun as other:
        if other.run not in _numbers:
            _numbers[other.run] = _lasting_number(store, other.run)
        return scripts.run(store, *_with_runs(commands))


def _with_runs(commands: Sequence[scripts.Command]) -> Iterator[scripts.Command]:
    # A copy: another thread may learn of a run meanwhile.
    known = "".join(f"{run_id} {number} " for run_id, number in list(_numbers.items()))
    for command in commands:
        yield [known if each is RUNS else each for each in command] if command[0] == "EVALSHA" else command


def _lasting_number(store: Store, run_id: str) -> int:
    """Tell the number of a run that is on, higher than those of all before it.

    When this returns, no crash of the server can take it back.  Raises StoreUnavailable if that cannot be had.
    """
    asked = scripts.NUMBER_RUN.command((keys.STORE_RUNS,), (run_id,))
    try:
        number, [written, _] = scripts.run(store, asked, ("WAITAOF", 1, 0, LOG_MS))
    except redis.ResponseError as error:
        [number], written = scripts.run(store, asked), True
        # Without a log there is nothing to wait for; before Redis 7.2 there is nobody to ask.
        if "appendonly is disabled" not in str(error):
            end = time.monotonic() + UNASKED_S
            wait_until(lambda: time.monotonic() >= end, "the log is written out", timeout_s=2 * UNASKED_S)
    if not written:
        raise StoreUnavailable("the store's log is not written out")
    log.info("a run of the store", action="number_run", run=run_id, number=number)
    return int(number)
