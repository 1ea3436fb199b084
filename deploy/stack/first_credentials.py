"""Generate secrets that are not set, for a first run, and check those that are."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from shared.credentials import parse_credentials
from shared.errors import BadSetting
from shared.settings import Settings

#: The operator's password is at least so long: it opens every catalog.
PASSWORD_LENGTH = 12


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A right to read and write one catalog, with its token; as text, a line of the credentials file."""

    catalog_key: str
    token: str

    def __str__(self) -> str:
        return f"{self.catalog_key}:{self.token}:rw"


def new_credential() -> NewCredential:
    return NewCredential(f"key_{secrets.token_hex(6)}", f"tok_{secrets.token_hex(16)}")


#: Settings that are made when they are absent, and kept in the data folder under their names.
SECRETS: dict[str, Callable[[], str]] = {
    "flower_auth": lambda: f"sluice:{secrets.token_hex(12)}",
    "operator_password": lambda: f"op_{secrets.token_hex(12)}",
    "secret_key": lambda: secrets.token_hex(32),
}


def check_credentials(settings: Settings) -> None:
    """Raise BadSetting, naming the variable, if the credentials or passwords given in settings are not usable."""
    if settings.flower_auth and ":" not in settings.flower_auth:
        raise BadSetting("SLUICE_FLOWER_AUTH: not of the form user:password")
    if settings.operator_password and len(settings.operator_password) < PASSWORD_LENGTH:
        raise BadSetting(f"SLUICE_OPERATOR_PASSWORD: shorter than {PASSWORD_LENGTH} characters")
    for variable, read in (
        ("SLUICE_CREDENTIALS", lambda: settings.credentials or ""),
        ("SLUICE_CREDENTIALS_FILE", lambda: settings.credentials_file and settings.credentials_file.read_text("utf-8")),
    ):
        try:
            parse_credentials(read() or "")
        except (BadSetting, OSError) as problem:
            raise BadSetting(f"{variable}: {problem}") from problem
