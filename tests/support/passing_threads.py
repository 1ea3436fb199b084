"""Threads that use the store once and are gone."""

from __future__ import annotations

import threading
from collections.abc import Callable

#: More than redis-py lets a client have connections unless it is told otherwise.
MANY = 150


def on_passing_threads(act: Callable[[], object], *, times: int = MANY) -> None:
    """Do something on one new thread after the other; raises what one of them raised."""
    broken: list[BaseException] = []

    def once() -> None:
        try:
            act()
        except BaseException as error:
            broken.append(error)

    for _ in range(times):
        thread = threading.Thread(target=once)
        thread.start()
        thread.join()
        if broken:
            raise broken[0]
