"""A supervisord that stops its services and itself when its parent process is gone, even after kill -9.

Run as ``python -m deploy.stack.tied_supervisord -c <config>``.  Without it a killed ``make up`` would leave the
stack behind.
"""

from __future__ import annotations

import os
import sys

from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ServerOptions
from supervisor.states import SupervisorStates
from supervisor.supervisord import Supervisor

from deploy.stack.patient_log import keep_logs_patiently


class TiedSupervisor(Supervisor):
    """Supervisor asks for signals once a second, and after each event; we ask for the parent with them."""

    def __init__(self, options: ServerOptions, parent: int) -> None:
        super().__init__(options)
        self.parent = parent

    def handle_signal(self) -> None:
        """Begin the orderly stop if the parent is gone, then look at the signals."""
        # An orphan is handed to another parent at once, so this sees it on every Unix.
        if os.getppid() != self.parent:
            self.options.mood = SupervisorStates.SHUTDOWN
        super().handle_signal()


def main(args: list[str]) -> None:
    """Supervise until told to stop, or left alone."""
    parent = os.getppid()
    keep_logs_patiently()
    options = ServerOptions()
    options.realize(args, doc=__doc__)
    options.first, options.test = True, False
    try:
        TiedSupervisor(options, parent).main()
    except asyncore.ExitNow:
        options.close_httpservers()
        options.close_logger()


if __name__ == "__main__":
    main(sys.argv[1:])
