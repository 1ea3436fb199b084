"""Send e-mails through the configured server."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from shared.errors import BadSetting

#: Seconds for each step of a conversation with the server.
STEP_S = 10.0
#: The same when it is only looked whether the server is there.
CHECK_STEP_S = 3.0

_PORTS = {"smtp": 25, "starttls": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class MailServer:
    """The mail server; ``smtp`` is plain, ``starttls`` requires STARTTLS, ``smtps`` begins with TLS."""

    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str = ""

    @classmethod
    def parse(cls, url: str) -> MailServer:
        """Read SLUICE_SMTP_URL.  Raises BadSetting, without the password."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.scheme not in _PORTS:
            raise BadSetting("SLUICE_SMTP_URL is not of the form smtp|starttls|smtps://[user:password@]host[:port]")
        user = None if parts.username is None else unquote(parts.username)
        return cls(parts.scheme, host, port or _PORTS[parts.scheme], user, unquote(parts.password or ""))

    def send(self, mail: EmailMessage) -> list[str]:
        """Send an e-mail; returns the refused recipients.  Raises OSError, or SMTPException if all were refused."""
        with self._open(STEP_S) as server:
            return list(server.send_message(mail))

    def problem(self) -> str | None:
        """Connect and sign in without sending anything; returns why that fails, without the password."""
        try:
            with self._open(CHECK_STEP_S) as server:
                server.noop()
        except smtplib.SMTPResponseException as error:
            said = error.smtp_error
            text = said.decode(errors="replace") if isinstance(said, bytes) else said
            return f"{self.host}:{self.port} answers {error.smtp_code} {' '.join(text.split())}"
        except (OSError, smtplib.SMTPException) as error:
            return f"{self.host}:{self.port}: {error or type(error).__name__}"
        return None

    @contextmanager
    def _open(self, step_s: float) -> Iterator[smtplib.SMTP]:
        with self._connect(step_s) as server:
            if self.scheme == "starttls":
                server.starttls(context=ssl.create_default_context())
            if self.user is not None:
                server.login(self.user, self.password)
            yield server

    def _connect(self, step_s: float) -> smtplib.SMTP:
        if self.scheme == "smtps":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=step_s, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=step_s)
