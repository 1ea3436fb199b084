"""The whole stack in the foreground: ``python -m deploy.up``, or ``make up``.

One line per service when it is ready, then ``ready``; Ctrl-C or SIGTERM stops everything.  Settings come from the
environment, see shared/settings.py.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deploy.log_keeper import LogKeeper
from deploy.services import Name, Service
from deploy.stack import NotStarted, Stack
from shared.errors import SluiceError
from shared.settings import unknown_variables
from shared.store import connect
from shared.waiting import wait_until

#: Seconds between two looks at the services.
LOOK_EVERY_S = 0.5


class Stopped(BaseException):
    """Somebody asked us to stop."""


@contextmanager
def stop_on_signals() -> Iterator[Callable[[], None]]:
    """Raise Stopped here at the first SIGINT, SIGTERM or SIGHUP, and ignore later ones, as stopping is under way.

    Python loses what is raised while an object is finalized.  The call that is handed out raises Stopped once more if
    there was a signal.
    """
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    asked = False

    def stop(*_: object) -> None:
        nonlocal asked
        asked = True
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped

    def check() -> None:
        if asked:
            raise Stopped

    before = [signal.signal(each, stop) for each in signals]
    try:
        yield check
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)


class Watch:
    """Tells when a service was restarted, and starts again what supervisor has given up."""

    def __init__(self, stack: Stack, check: Callable[[], None]) -> None:
        """Prepare; ``check``, as of `stop_on_signals`, is called at each look."""
        self._stack = stack
        self._check = check
        self._seen = stack.pids()
        self._log_keeper = LogKeeper(connect(stack.environ["SLUICE_REDIS_URL"])) if stack.embedded else None

    def look(self) -> bool:
        """Look once; never true, so that it can be waited for.  Raises NotStarted when supervisord itself ended."""
        self._check()
        supervisor = self._stack.supervisor
        if not supervisor.alive():
            raise NotStarted("supervisord ended, and the services with it")
        for process in supervisor.processes().values():
            name = Name(process.name)
            if process.state == "FATAL":
                say(f"{name} keeps ending; trying again. Its log: {self._stack.folder.log(name)}")
                supervisor.start_service(name)
            elif process.pid and process.pid != self._seen.get(name, process.pid):
                say(f"{name} ended and was started again (process {process.pid})")
            if process.pid:
                self._seen[name] = process.pid
        if self._log_keeper:
            self._log_keeper.look()
        return False


def say(line: str) -> None:
    # At once, also into a pipe: tests and process managers wait for `ready`.
    print(line, flush=True)


def announce(service: Service) -> None:
    """Print the line of a service that is ready."""
    say(f"{service.name:8} {' · '.join(filter(None, (service.url, service.note)))}")


def announce_credential(stack: Stack) -> None:
    """Print a credential made by this run, once; later runs only say where it lies."""
    file = stack.folder.path / "credentials"
    if made := stack.new_credential:
        say(f"made for you, shown only now: key {made.catalog_key}  token {made.token}  (kept in {file})")
    elif stack.environ.get("SLUICE_CREDENTIALS_FILE") == str(file) and file.stat().st_size:
        say(f"key and token of the first run: {file}")


def run(stack: Stack, check: Callable[[], None]) -> None:
    """Start the stack, say so, and watch it until Stopped."""
    try:
        stack.start(announce)
        announce_credential(stack)
        say("ready")
        wait_until(Watch(stack, check).look, "the end", timeout_s=math.inf, every_s=LOOK_EVERY_S)
    finally:
        stack.stop()


def main() -> int:
    """Run until told to stop: 0; 1 if something is not as it must be, in one line."""
    for variable in unknown_variables(os.environ):
        print(f"sluice: unknown setting {variable}", file=sys.stderr)
    try:
        with stop_on_signals() as check:
            run(Stack(os.environ), check)
    except Stopped:
        say("stopped")
    except SluiceError as problem:
        print(f"sluice: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
