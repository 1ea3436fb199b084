"""Receivers on loopback: somebody's webhook endpoint, and a mail server."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import socketserver
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook


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
        """Check the signature with the specification's own library; the time may be a test's."""
        at = datetime.fromtimestamp(int(self.headers["webhook-timestamp"]), UTC)
        return Webhook(secret).sign(self.id, at, self.body.decode()) in self.headers["webhook-signature"].split()


@dataclass
class Endpoint:
    """Somebody's webhook endpoint."""

    url: str
    calls: list[Call] = field(default_factory=list)
    #: The statuses of the next answers.
    answers: list[int] = field(default_factory=list)
    #: The status when none of them is left.
    usual: int = 204
    #: Sent with each answer.
    headers: dict[str, str] = field(default_factory=dict)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let go of a caller who broke off."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def http_endpoint() -> Iterator[Endpoint]:
    """Take webhooks for a while."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(length := int(self.headers["Content-Length"]))
            if len(body) < length:
                return
            endpoint.calls.append(Call(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(endpoint.answers.pop(0) if endpoint.answers else endpoint.usual)
            self.send_header("Location", f"{endpoint.url}/elsewhere")
            for name, value in endpoint.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = _HttpServer(("127.0.0.1", 0), Handler)
    endpoint = Endpoint(f"http://127.0.0.1:{server.server_port}/hook")
    with _serving(server):
        yield endpoint


@contextlib.contextmanager
def silent_endpoint() -> Iterator[Endpoint]:
    """Take webhooks for a while and never answer one; nor are they read."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            over.wait()

    over = threading.Event()
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with _serving(server):
        yield Endpoint(f"http://127.0.0.1:{server.server_address[1]}/hook")
        over.set()


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
