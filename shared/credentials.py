"""Who may do what on which catalogs.  Of a token only its SHA-256 is kept: tokens are random, so that is enough."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from shared import keys
from shared.clock import Clock
from shared.errors import BadSetting
from shared.scripts import run
from shared.store import Store

CATALOG_KEY = re.compile(r"[A-Za-z0-9_.\-]{1,100}")

#: How long a process may go on with credentials that were changed elsewhere.
STALE_MS = 1_000


class Scope(StrEnum):
    """What a token allows."""

    READ = "r"
    READ_WRITE = "rw"


@dataclass(frozen=True, slots=True)
class Credential:
    """The right of the bearer of one token."""

    #: For people; shows as the submitter of tasks.
    name: str
    #: SHA-256 of the token, hex.
    digest: str
    scopes: dict[str, Scope]

    def allows(self, catalog_key: str, scope: Scope) -> bool:
        granted = self.scopes.get(catalog_key)
        return granted is Scope.READ_WRITE or granted is scope


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def parse_credentials(text: str) -> list[Credential]:
    """Read ``key:token[:r|rw]``, separated by commas or line ends; ``#`` begins a comment line.

    A token that stands there several times gets all of its catalogs.  Raises BadSetting with the place, never with
    the token.
    """
    found: dict[str, Credential] = {}
    lines = [line for line in re.split(r"[\n,]", re.sub(r"(?m)^\s*#.*", "", text)) if line.strip()]
    for number, line in enumerate(lines, 1):
        catalog_key, colon, rest = line.strip().partition(":")
        token, _, scope = rest.partition(":")
        if not CATALOG_KEY.fullmatch(catalog_key) or not colon or not token or scope not in ("", "r", "rw"):
            raise BadSetting(f"credential {number} is not of the form key:token[:r|rw]")
        digest = digest_of(token)
        before = found.get(digest) or Credential(f"settings-{digest[:6]}", digest, {})
        found[digest] = replace(before, scopes={**before.scopes, catalog_key: Scope(scope or "rw")})
    return list(found.values())


class Credentials:
    """All credentials: those from the settings and those stored in Redis, which other processes may change."""

    def __init__(self, client: Store, fixed: Iterable[Credential], *, clock: Clock) -> None:
        self._client = client
        self._fixed = {credential.digest: credential for credential in fixed}
        self._clock = clock
        self._guard = threading.Lock()
        self._version: bytes | None = b"unread"
        self._looked_ms = 0
        self._stored: dict[str, Credential] = {}
        self._known: frozenset[str] = frozenset()

    def find(self, token: str) -> Credential | None:
        """Find what a token allows; at most STALE_MS old."""
        return self.find_digest(digest_of(token))

    def find_digest(self, digest: str) -> Credential | None:
        """Find what the token of this digest allows."""
        self._refresh()
        return self._fixed.get(digest) or self._stored.get(digest)

    def knows(self, catalog_key: str) -> bool:
        """Tell whether any credential names this catalog."""
        self._refresh()
        return catalog_key in self._known

    def all(self) -> list[Credential]:
        """List the stored credentials."""
        [stored] = run(self._client, ("HVALS", keys.CREDENTIALS))
        return sorted(map(_decode, stored), key=lambda credential: credential.name)

    def store(self, credential: Credential) -> None:
        """Add a credential, or replace the one of the same token."""
        data = msgspec.json.encode(credential)
        run(self._client, ("HSET", keys.CREDENTIALS, credential.digest, data), ("INCR", keys.CREDENTIALS_VERSION))

    def revoke(self, name: str) -> int:
        """Remove the stored credentials of a name; returns how many there were."""
        digests = [credential.digest for credential in self.all() if credential.name == name]
        if digests:
            run(self._client, ("HDEL", keys.CREDENTIALS, *digests), ("INCR", keys.CREDENTIALS_VERSION))
        return len(digests)

    def _refresh(self) -> None:
        now_ms = self._clock()
        if abs(now_ms - self._looked_ms) < STALE_MS:
            return
        with self._guard:
            if abs(now_ms - self._looked_ms) < STALE_MS:
                return
            [version] = run(self._client, ("GET", keys.CREDENTIALS_VERSION))
            if version != self._version:
                [stored] = run(self._client, ("HVALS", keys.CREDENTIALS))
                self._stored = {credential.digest: credential for credential in map(_decode, stored)}
                both = [*self._fixed.values(), *self._stored.values()]
                self._known = frozenset(catalog_key for credential in both for catalog_key in credential.scopes)
                self._version = version
            self._looked_ms = now_ms


_decode = msgspec.json.Decoder(Credential).decode
