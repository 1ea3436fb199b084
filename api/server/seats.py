"""Seats: limit how many requests of one kind are served at once."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Seats(Generic[T]):
    """A number of seats, and a queue in front of them."""

    def __init__(self, seats: int) -> None:
        self._free = seats
        self._waiting: deque[tuple[T, float]] = deque()
        self._guard = threading.Lock()

    def enter(self, request: T, now: float) -> bool:
        """Take a seat and return True; without a free one, queue the request: whoever leaves will serve it."""
        with self._guard:
            if self._free:
                self._free -= 1
                return True
            self._waiting.append((request, now))
            return False

    def leave(self) -> T | None:
        """Return the request that has waited longest, to be served on this seat; None if the seat is free now."""
        with self._guard:
            if self._waiting:
                return self._waiting.popleft()[0]
            self._free += 1
            return None

    def give_up(self, since: float) -> list[T]:
        """Remove and return the requests that have waited since ``since`` or longer."""
        found = []
        with self._guard:
            while self._waiting and self._waiting[0][1] <= since:
                found.append(self._waiting.popleft()[0])
        return found
