"""Send e-mails through the configured server."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from shared.errors import BadSetting

#: Seconds for each step of a conversation with the server.
STEP_S = 10.0

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
        with self._connect() as server:
            if self.scheme == "starttls":
                server.starttls(context=ssl.create_default_context())
            if self.user is not None:
                server.login(self.user, self.password)
            return list(server.send_message(mail))

    def _connect(self) -> smtplib.SMTP:
        if self.scheme == "smtps":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=STEP_S, context=context)
        return smtplib.SMTP(self.host, self.port, timeout=STEP_S)
