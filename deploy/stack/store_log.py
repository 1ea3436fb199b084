"""Rewrite the log of the embedded store after its disk was full."""

from __future__ import annotations

import contextlib
from typing import Any

from shared.errors import StoreUnavailable
from shared.store.scripts import run


class LogKeeper:
    """Has the log written anew once a write to it has failed.

    A torn write is cut off again, but a server that has opened its log for a rewrite (and not at its start) goes on
    behind the cut: what lies between is a hole of zeros, and no server starts on such a log.  Seen with Valkey 9.1; a
    log that is written anew has no hole.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._torn = False
        #: Commands that the server has refused, since it started, because it could not write its log.
        self._refused = 0

    def look(self) -> bool:
        """Look once, do what is to be done, and say whether all is well.  A store that is away is no error."""
        with contextlib.suppress(StoreUnavailable):
            state, errors = run(self._client, ("INFO", "persistence"), ("INFO", "errorstats"))
            refused = int(errors.get("errorstat_MISCONF", {}).get("count", 0))
            if refused not in (0, self._refused):
                # A write failed since the last look, and all may be well again by now.
                self._torn = True
            self._refused = refused
            if state["aof_last_write_status"] != "ok":
                self._torn = True
            elif self._torn and not (state["aof_rewrite_in_progress"] or state["aof_rewrite_scheduled"]):
                run(self._client, ("BGREWRITEAOF",))
                self._torn = False
            return not self._torn
        return False
