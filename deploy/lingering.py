"""How a thread of the ingress waits for the next request."""

from __future__ import annotations

import select
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

#: Milliseconds.
LINGER_MS = 2


class LingeringWorker(ThreadWorker):
    """gunicorn's threads, each of which stays with its connection for a moment after an answer.

    A client that has more to send sends it at once.  To hand its connection back to the main thread, and from there to
    a thread again, takes four wake-ups, which cost as much as half of a small request.  While other connections wait
    for a thread, none lingers.
    """

    def handle(self, conn: Any) -> Any:
        while True:
            kept = super().handle(conn)
            # Anything but True is for the main thread: an end, or a connection that has sent nothing yet.
            if kept is not True or not self._next_request_is_here(conn):
                return kept

    def _next_request_is_here(self, conn: Any) -> bool:
        if not self.alive or self.tpool._work_queue.qsize():
            return False
        poll = select.poll()
        poll.register(conn.sock, select.POLLIN)
        return bool(poll.poll(LINGER_MS))
