"""The credential that is made when nobody set one, so that a first run can be tried at once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credential:
    """A right to read and write one catalog; written ``key:token:rw``, as settings and the credentials file do."""

    catalog_key: str
    token: str

    def __str__(self) -> str:
        return f"{self.catalog_key}:{self.token}:rw"


def new_credential() -> Credential:
    return Credential(f"key_{secrets.token_hex(6)}", f"tok_{secrets.token_hex(16)}")


def new_flower_auth() -> str:
    """Make Flower's ``user:password``."""
    return f"sluice:{secrets.token_hex(12)}"
