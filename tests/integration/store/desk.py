"""A thread that serves calls as the receptionist of the ingress does: each in a greenlet, over lines they share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from api.server.poller import Poller
from shared.elsewhere import SharedThread, take_turns
from shared.store.lines import Lines


class Desk:
    """Serves calls; each `serve` on a thread of its own, with lines that no call has opened."""

    def __init__(self) -> None:
        #: How often something was done elsewhere, but for the opening of a line.
        self.elsewhere = 0

    def serve(self, *rounds: Callable[[], Any] | list[Callable[[], Any]]) -> list[Any]:
        """Make calls, those of a list together and one list after the other; return their results, or what they raised.

        The first opens the line.
        """
        results: list[Any] = []
        thread = threading.Thread(target=self._serve, args=(rounds, results))
        thread.start()
        thread.join(60)
        assert not thread.is_alive(), "some call never ended"
        return results

    def _serve(self, rounds: Any, results: list[Any]) -> None:
        poller = Poller()
        shared, lines = SharedThread(hand_over=self._hand_over, wake=poller.wake), Lines(watch=poller.watch_input)
        for calls in rounds:
            calls = calls if isinstance(calls, list) else [calls]
            first = len(results)
            results += [_PENDING] * len(calls)
            for number, call in enumerate(calls, first):
                take_turns(partial(_note, results, number, call))
            while _PENDING in results:
                for fd, *_ in poller.wait(lines.patience_s):
                    lines.read(fd)
                shared.go_on()
                lines.settle()

    def _hand_over(self, job: Callable[[], None]) -> None:
        self.elsewhere += 1
        threading.Thread(target=job).start()


_PENDING = object()


def _note(results: list[Any], number: int, call: Callable[[], Any]) -> None:
    try:
        results[number] = call()
    except Exception as error:
        results[number] = error
