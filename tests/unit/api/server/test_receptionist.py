"""The one thread that receives requests goes on whatever happens to it."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace

import pytest

from api.server.crew import Crew
from api.server.worker import ThreadedPollWorker


def test_an_error_that_nobody_expected_is_not_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next news are received."""
    worker, waits = object.__new__(ThreadedPollWorker), iter([MemoryError("no room"), OSError("no poller"), None])

    def wait(_timeout_s: float | None) -> list[tuple[int, bool, bool]]:
        if error := next(waits):
            raise error
        worker._ended.set()
        return []

    poller = SimpleNamespace(wait=wait, wake=lambda: None, watch_input=lambda fd: None)
    worker._ended, worker._crew = threading.Event(), Crew()
    worker._reception = SimpleNamespace(poller=poller)  # type: ignore[assignment]
    worker._loop = SimpleNamespace(run_turns=lambda: None)  # type: ignore[assignment]
    thread = threading.Thread(target=worker._receive)
    with caplog.at_level(logging.ERROR):
        thread.start()
        thread.join(30)
    assert worker._ended.is_set()
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["no room", "no poller"]
