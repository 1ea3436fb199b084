"""A worker that some entries poison: ``celery --app tests.support.poisoned_worker:celery worker``.

An item whose id begins with the name of a poison has that effect on whoever applies it.
"""

from __future__ import annotations

import os
import re
import signal
from typing import Any

from shared.store import client

# Tests do not wait for a store that answers late.
client.LONGEST_CALL_S = 1.0

from workers.apply import applier  # noqa: E402  # the worker reads the limit above when it is imported

#: Takes longer than the universe is old, and never lets another thread run.
_ENDLESS = re.compile(r"(a|a)*b")


def _raise() -> None:
    raise ZeroDivisionError("an error that nobody foresaw")


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang() -> None:
    while True:
        pass


def _hold() -> None:
    _ENDLESS.match("a" * 100)


POISONS = {"raise": _raise, "kill": _kill, "hang": _hang, "hold": _hold}

_apply = applier.apply


def apply(batch: Any, chunk: Any, view: Any) -> Any:
    """Apply a chunk, or die of it."""
    for entry_id in chunk.ids:
        if poison := POISONS.get(entry_id.partition("-")[0]):
            poison()
    return _apply(batch, chunk, view)


applier.apply = apply  # type: ignore[assignment]

from workers.app import celery  # noqa: E402, F401
