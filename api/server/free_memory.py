"""Free memory: give it back to the system after slow clients held much of it."""

from __future__ import annotations

import ctypes
import time

#: Seconds between two times: what is given back has to be asked for again if it goes on.
EVERY_S = 5.0


class FreeMemory:
    """Memory that the allocator keeps for later; of glibc, where it keeps some 100 MB after a crowd of slow readers."""

    def __init__(self) -> None:
        # Neither macOS nor musl has it.
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        self._next_s = 0.0

    def give_back(self) -> bool:
        """Give it back, and tell whether that was done: not if it was just now.  Takes some milliseconds."""
        if time.monotonic() < self._next_s:
            return False
        if self._trim is not None:
            self._trim(0)
        self._next_s = time.monotonic() + EVERY_S
        return True
