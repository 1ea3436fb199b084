"""An HTTP server in this process that answers as a test says: for what no real server can be made to show."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Asked(NamedTuple):
    method: str
    path: str
    body: bytes


#: Answers a request with a status and a body; None: not at all, until the server is stopped.
Script = Callable[[Asked], tuple[int, bytes] | None]


class ScriptedServer:
    """A server on a port of its own."""

    def __init__(self, script: Script) -> None:
        self.asked: list[Asked] = []
        stopped = threading.Event()
        self._stopped = stopped
        asked_so_far = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                asked = Asked(self.command, self.path, self.rfile.read(length))
                asked_so_far.append(asked)
                answer = script(asked)
                if answer is None:
                    stopped.wait(60)
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer

            def log_message(self, *of: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
