"""Remember files accepted lately, and files that wait for their final name, for clients that check."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from shared.clock import Clock

#: How long a file stays visible.
VISIBLE_MS = 3600 * 1000
#: How long one that came under a temporary name waits for its final one, a little less than what was staged of it.
HELD_MS = 9 * 60 * 1000
#: Files that are remembered of one catalog.
MOST = 1000


class Held(Protocol):
    """A file that becomes a task once it gets its final name."""

    def submit(self, name: str) -> None:
        """Create its task.  Raises BadName if it was received for another operation."""

    def drop(self) -> None:
        """Let go of it."""


@dataclass(frozen=True, slots=True)
class TakenFile:
    """One file as it is seen from outside."""

    name: str
    bytes: int
    at_ms: int
    #: None: it is a task already.
    held: Held | None = None


class TakenFiles:
    """The files of all catalogs; shared by the threads of all sessions."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._files: dict[str, dict[str, TakenFile]] = {}

    def add(self, catalog_key: str, name: str, size: int, held: Held | None = None) -> None:
        """Show a file, in the place of any that has the name."""
        with self._lock:
            files = self._files.setdefault(catalog_key, {})
            dropped = [files.pop(name)] if name in files else []
            files[name] = TakenFile(name, size, self._clock(), held)
            while len(files) > MOST:
                dropped.append(files.pop(next(iter(files))))
        _drop(dropped)

    def find(self, catalog_key: str, name: str) -> TakenFile | None:
        """Find a file that is still visible."""
        return next((file for file in self.all(catalog_key) if file.name == name), None)

    def all(self, catalog_key: str) -> list[TakenFile]:
        """List the files that are still visible, the oldest first; forget the others."""
        now_ms = self._clock()
        with self._lock:
            files = self._files.get(catalog_key, {})
            expired = [files.pop(file.name) for file in list(_expired(files, now_ms))]
            visible = list(files.values())
        _drop(expired)
        return visible

    def take(self, catalog_key: str, name: str) -> TakenFile | None:
        """Find a file and forget it."""
        found = self.find(catalog_key, name)
        with self._lock:
            return self._files[catalog_key].pop(name, None) if found else None


def _expired(files: dict[str, TakenFile], now_ms: int) -> Iterator[TakenFile]:
    for file in files.values():
        if now_ms - file.at_ms > (VISIBLE_MS if file.held is None else HELD_MS):
            yield file


def _drop(files: list[TakenFile]) -> None:
    for file in files:
        if file.held is not None:
            file.held.drop()
