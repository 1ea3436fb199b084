"""Who created, rotated and revoked which token: the last of them, for those who look at it later."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from shared import keys
from shared.store.client import Store
from shared.store.scripts import run

#: Changes that are kept.
KEPT = 200


class CredentialAct(StrEnum):
    """What was done to a token."""

    CREATED = "created"
    ROTATED = "rotated"
    REVOKED = "revoked"


class CredentialChange(msgspec.Struct, frozen=True):
    """One change."""

    at_ms: int
    act: CredentialAct
    #: Of the token, or of the one that was rotated.
    credential_id: str
    name: str
    #: Who did it.
    by: str
    catalog_keys: tuple[str, ...]
    #: The id of the token that takes its place.
    new_id: str = ""


class CredentialChanges:
    """The last changes.  Every call raises StoreUnavailable."""

    def __init__(self, client: Store) -> None:
        self._client = client

    def note(self, change: CredentialChange) -> None:
        run(
            self._client,
            ("LPUSH", keys.CREDENTIALS_CHANGES, msgspec.json.encode(change)),
            ("LTRIM", keys.CREDENTIALS_CHANGES, 0, KEPT - 1),
        )

    def of(self, catalog_key: str) -> list[CredentialChange]:
        """List those of tokens for a catalog, newest first."""
        [found] = run(self._client, ("LRANGE", keys.CREDENTIALS_CHANGES, 0, -1))
        return [change for change in map(_decode, found) if catalog_key in change.catalog_keys]


_decode = msgspec.json.Decoder(CredentialChange).decode
