"""A sink worker in a process of its own, to be killed and stopped: ``python -m tests.support.sink_process``."""

from __future__ import annotations

import signal
import subprocess
import sys

from shared.clock import now_ms
from shared.settings import Settings
from shared.store.client import connect
from tests.support.sinks import NAME
from workers.sinks.sink_turns import SinkTurns


class SinkProcess:
    """A running one."""

    def __init__(self, store_url: str, name: str) -> None:
        command = [sys.executable, "-m", "tests.support.sink_process", store_url, name]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "delivers\n"

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=20)


def main(store_url: str, name: str) -> None:
    settings = Settings(redis_url=store_url)
    turns = SinkTurns(connect(store_url), settings, name, clock=now_ms)
    sys.stdout.write("delivers\n")
    sys.stdout.flush()
    while True:
        turns.turn(NAME, budget_s=0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
