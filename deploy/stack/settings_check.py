"""Check settings before anything is started, and report a problem at once in one line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from deploy.stack.first_credentials import check_credentials
from shared.errors import BadSetting
from shared.exports.files import ExportFiles
from shared.outbox.mail_server import MailServer
from shared.settings import Settings
from shared.telemetry import spans
from workers.deliver.messages import parse_sender

#: Placeholders for secrets in examples.
_EXAMPLE = re.compile(r"change.?me", re.IGNORECASE)
#: Signatures with a shorter key can be forged.
SECRET_KEY_LENGTH = 16


def check_settings(settings: Settings, environ: Mapping[str, str]) -> None:
    """Raise Misconfigured, naming the variable, if something could not work, or is a secret that everybody knows."""
    _check_secrets(settings)
    check_credentials(settings)
    _check_ports(settings)
    if settings.smtp_url is not None:
        MailServer.parse(settings.smtp_url)
        parse_sender(settings.mail_from)
    ExportFiles(settings)
    spans.check(environ)


def _check_secrets(settings: Settings) -> None:
    for name in ("secret_key", "flower_auth", "operator_password", "metrics_token", "credentials"):
        if _EXAMPLE.search(getattr(settings, name) or ""):
            raise BadSetting(f"SLUICE_{name.upper()}: still the word of the example; put a secret of your own there")
    if settings.secret_key is not None and len(settings.secret_key) < SECRET_KEY_LENGTH:
        raise BadSetting(f"SLUICE_SECRET_KEY: shorter than {SECRET_KEY_LENGTH} characters; try: openssl rand -hex 32")


def _check_ports(settings: Settings) -> None:
    names = ("port", "flower_port", "ftps_port", "metrics_port")
    ports = {f"SLUICE_{name.upper()}": port for name in names if (port := getattr(settings, name)) is not None}
    for port, count in Counter(ports.values()).items():
        if count > 1:
            same = " and ".join(variable for variable, each in ports.items() if each == port)
            raise BadSetting(f"{same} are both {port}: each service needs a port of its own")
