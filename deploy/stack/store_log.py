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

    def look(self) -> bool:
        """Look once, do what is to be done, and say whether all is well.  A store that is away is no error."""
        with contextlib.suppress(StoreUnavailable):
            [state] = run(self._client, ("INFO", "persistence"))
            if state["aof_last_write_status"] != "ok":
                self._torn = True
            elif self._torn and not (state["aof_rewrite_in_progress"] or state["aof_rewrite_scheduled"]):
                run(self._client, ("BGREWRITEAOF",))
                self._torn = False
            return not self._torn
        return False
