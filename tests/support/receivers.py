"""Receivers on loopback: somebody's webhook endpoint, and a mail server."""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import hashlib
import hmac
import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Call:
    """A request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def is_signed_with(self, secret: str) -> bool:
        """Check the signature as the specification has it, with nothing of ours."""
        key = base64.b64decode(secret.split("_", 1)[1])
        content = b".".join([self.id.encode(), self.headers["webhook-timestamp"].encode(), self.body])
        should = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        return self.headers["webhook-signature"] == should


@dataclass
class Endpoint:
    """Somebody's webhook endpoint."""

    url: str
    calls: list[Call] = field(default_factory=list)
    #: The statuses of the next answers; 204 when none is left.
    answers: list[int] = field(default_factory=list)


@contextlib.contextmanager
def http_endpoint() -> Iterator[Endpoint]:
    """Take webhooks for a while."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            endpoint.calls.append(Call(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(endpoint.answers.pop(0) if endpoint.answers else 204)
            self.send_header("Location", f"{endpoint.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint = Endpoint(f"http://127.0.0.1:{server.server_port}/hook")
    with _serving(server):
        yield endpoint


@dataclass
class Mailbox:
    """A mail server that takes everything, but for the recipients that it refuses."""

    url: str
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)


@contextlib.contextmanager
def mail_server() -> Iterator[Mailbox]:
    """Take mail for a while."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            recipients: list[str] = []
            self._say("220 test")
            for line in self.rfile:
                verb, argument = line[:4].upper(), line[4:].decode().strip()
                if verb == b"RCPT":
                    address = argument[argument.index("<") + 1 : argument.index(">")]
                    if address in mailbox.refused:
                        self._say("550 no such mailbox")
                        continue
                    recipients.append(address)
                elif verb == b"DATA":
                    self._say("354 go on")
                    self._take(recipients)
                elif verb == b"QUIT":
                    self._say("221 bye")
                    return
                self._say("250 ok")

        def _take(self, recipients: list[str]) -> None:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line.removeprefix(b"."))
            mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            assert isinstance(mail, EmailMessage)
            mailbox.mails.append((list(recipients), mail))

        def _say(self, line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    mailbox = Mailbox(f"smtp://127.0.0.1:{server.server_address[1]}")
    with _serving(server):
        yield mailbox


@contextlib.contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
