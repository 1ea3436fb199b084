"""Credentials: the rights of tokens on catalogs.  Only the SHA-256 of a token is kept, as tokens are random."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

import msgspec

from shared import keys
from shared.clock import Clock
from shared.elsewhere import elsewhere
from shared.errors import BadSetting, CredentialEnded, TryAgain
from shared.store.client import Store
from shared.store.lines import together
from shared.store.scripts import ROTATE_CREDENTIAL, Command, run

CATALOG_KEY = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
#: What a token may be called.
NAME = re.compile(r"\S.{0,99}")
BAD_NAME = "a name has 1 to 100 characters and begins with a visible one"

#: How long a process may use credentials that another process has changed.
STALE_MS = 1_000
#: How often a process notes that a token is in use.
NOTED_EVERY_MS = 60_000


class Scope(StrEnum):
    """The rights of a token."""

    READ = "r"
    READ_WRITE = "rw"


@dataclass(frozen=True, slots=True)
class Credential:
    """The rights of one token's holder."""

    #: For people; shows as the submitter of tasks.
    name: str
    #: SHA-256 of the token, hex.
    digest: str
    scopes: dict[str, Scope]
    #: Addresses that get an e-mail if the task of a file sent over FTPS, which has no parameters, fails.
    notification_emails: tuple[str, ...] = ()
    #: 0: made before this was noted, or configured.
    created_ms: int = 0
    #: From when on it is refused; None: never.
    expires_ms: int | None = None

    @property
    def id(self) -> str:
        """Name it and no other, for people; nothing can be done with it but to revoke and rotate."""
        return self.digest[:8]

    def has_ended(self, now_ms: int) -> bool:
        return self.expires_ms is not None and self.expires_ms <= now_ms

    def outlives(self, other: Credential) -> bool:
        """Return whether it is good for longer than another."""
        return other.expires_ms is not None and (self.expires_ms is None or self.expires_ms > other.expires_ms)

    def allows(self, catalog_key: str, scope: Scope) -> bool:
        granted = self.scopes.get(catalog_key)
        return granted is Scope.READ_WRITE or granted is scope


def new_token(unguessable: bytes = b"") -> str:
    """Return a token that nobody can guess, of 24 random bytes; those that are given, or new ones."""
    return "tok-" + base64.urlsafe_b64encode((unguessable or secrets.token_bytes(24))[:24]).decode()


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def parse_credentials(text: str) -> list[Credential]:
    """Read ``key:token[:r|rw[:name]]``, separated by commas or line ends; ``#`` begins a comment line.

    A token that occurs several times gets all of its catalogs, and the first name.  Raises BadSetting with the place,
    never with the token.
    """
    found: dict[str, Credential] = {}
    lines = [line for line in re.split(r"[\n,]", re.sub(r"(?m)^\s*#.*", "", text)) if line.strip()]
    for number, line in enumerate(lines, 1):
        catalog_key, colon, rest = line.strip().partition(":")
        token, _, rights = rest.partition(":")
        scope, _, name = rights.partition(":")
        if not CATALOG_KEY.fullmatch(catalog_key) or not colon or not token or scope not in ("", "r", "rw"):
            raise BadSetting(f"credential {number} is not of the form key:token[:r|rw[:name]]")
        if name and not NAME.fullmatch(name):
            raise BadSetting(f"credential {number}: {BAD_NAME}")
        digest = digest_of(token)
        unnamed = f"settings-{digest[:6]}"
        before = found.get(digest) or Credential(unnamed, digest, {})
        name = before.name if before.name != unnamed else name or unnamed
        found[digest] = replace(before, name=name, scopes={**before.scopes, catalog_key: Scope(scope or "rw")})
    return list(found.values())


class Credentials:
    """All credentials: those from the settings and those stored in Redis, which other processes may change."""

    def __init__(
        self,
        client: Store,
        fixed: Iterable[Credential],
        *,
        clock: Clock,
        have_changed: Callable[[], bool] = lambda: False,
        reread: Callable[[], list[Credential] | None] = lambda: None,
    ) -> None:
        """``fixed``: those of the settings.

        ``have_changed`` tells at once whether they have; ``reread`` returns them then, None: as before.
        """
        self._client = client
        self._have_changed, self._reread = have_changed, reread
        self._fixed = {credential.digest: credential for credential in fixed}
        self._clock = clock
        self._reading, self._rereading = threading.Lock(), threading.Lock()
        #: What `_known` is made of: the version of the stored ones, and those of the settings.
        self._version: bytes | None = None
        self._combined: object = None
        #: Counts the times that all were read; the last that was not in vain.
        self._begun = self._done = 0
        self._looked_ms = 0
        self._stored: dict[str, Credential] = {}
        self._known: frozenset[str] = frozenset()
        self._noted_ms: dict[str, int] = {}

    def find(self, token: str) -> Credential | None:
        """Find the credential of a token, at most STALE_MS old."""
        return self.find_digest(digest_of(token))

    def find_digest(self, digest: str) -> Credential | None:
        """Find the credential of the token with this digest; None also if it has expired."""
        self._refresh()
        now_ms = self._clock()
        found = self._last_seen(digest, now_ms)
        if found is None:
            return None
        if now_ms - self._noted_ms.get(digest, 0) >= NOTED_EVERY_MS:
            self._noted_ms[digest] = now_ms
            # A store that has no room for it serves whoever asks nevertheless.
            with contextlib.suppress(TryAgain), together():
                run(self._client, ("HSET", keys.CREDENTIALS_USED, found.id, now_ms))
        return found

    def allowed(self, token: str, catalog_key: str, scope: Scope) -> bool:
        """Return whether a token gave a right on a catalog when that was last looked up; asks nobody."""
        found = self._last_seen(digest_of(token), self._clock())
        return found is not None and found.allows(catalog_key, scope)

    def _last_seen(self, digest: str, now_ms: int) -> Credential | None:
        found = self._fixed.get(digest) or self._stored.get(digest)
        return None if found is None or found.has_ended(now_ms) else found

    def knows(self, catalog_key: str) -> bool:
        """Return whether any credential names this catalog."""
        self._refresh()
        return catalog_key in self._known

    def all(self) -> list[Credential]:
        """List the stored credentials, by name."""
        [stored] = run(self._client, ("HVALS", keys.CREDENTIALS))
        return sorted(map(_decode, stored), key=lambda credential: (credential.name, credential.created_ms))

    def fixed(self) -> list[Credential]:
        """List those of the settings."""
        return list(self._fixed.values())

    def last_used(self) -> dict[str, int]:
        """Tell by id when each was last used, in ms; those never used are missing."""
        [found] = run(self._client, ("HGETALL", keys.CREDENTIALS_USED))
        return {credential_id.decode(): int(ms) for credential_id, ms in found.items()}

    def store(self, credential: Credential) -> None:
        """Add a credential, or replace that of the same token."""
        data = msgspec.json.encode(credential)
        run(self._client, ("HSET", keys.CREDENTIALS, credential.digest, data), ("INCR", keys.CREDENTIALS_VERSION))

    def find_stored(self, wanted: str) -> list[Credential]:
        """Find the stored credential of an id, or else all of a name."""
        stored = self.all()
        return [each for each in stored if each.id == wanted] or [each for each in stored if each.name == wanted]

    def revoke(self, wanted: str) -> int:
        """Remove the stored credential of an id, or all of a name; returns how many there were."""
        found = self.find_stored(wanted)
        if found:
            run(
                self._client,
                ("HDEL", keys.CREDENTIALS, *(each.digest for each in found)),
                ("HDEL", keys.CREDENTIALS_USED, *(each.id for each in found)),
                ("INCR", keys.CREDENTIALS_VERSION),
            )
        return len(found)

    def rotate(self, old: Credential, new_digest: str, *, now_ms: int, overlap_ms: int) -> Credential:
        """Store a credential like another, with a token of its own; the old one expires after ``overlap_ms``.

        The new one ends when the old one was to end: what was lent for a time is not prolonged.  Raises CredentialEnded
        if the old one has expired, or was revoked meanwhile: it stays so.
        """
        ends_ms = now_ms + overlap_ms
        while True:
            [was] = run(self._client, ("HGET", keys.CREDENTIALS, old.digest))
            if was is None:
                raise CredentialEnded(f"the token {old.id} was revoked")
            old = _decode(was)
            if old.has_ended(now_ms):
                raise CredentialEnded(f"the token {old.id} has expired")
            new = replace(old, digest=new_digest, created_ms=now_ms)
            ending = replace(old, expires_ms=ends_ms if old.expires_ms is None else min(old.expires_ms, ends_ms))
            [code] = run(self._client, self._rotation(was, ending, new))
            if code == b"ROTATED":
                return new

    def _rotation(self, was: bytes, ending: Credential, new: Credential) -> Command:
        return ROTATE_CREDENTIAL.command(
            credentials=keys.CREDENTIALS,
            version=keys.CREDENTIALS_VERSION,
            digest=ending.digest,
            was=was,
            ending=msgspec.json.encode(ending),
            new_digest=new.digest,
            new=msgspec.json.encode(new),
        )

    def _refresh(self) -> None:
        now_ms = self._clock()
        if abs(now_ms - self._looked_ms) < STALE_MS:
            return
        if self._have_changed():
            elsewhere(self._read_settings)
        begun = self._begun
        with together():
            [version] = run(self._client, _VERSION)
        if version != self._version or self._combined is not self._fixed:
            elsewhere(partial(self._read, begun))
        self._looked_ms = now_ms

    def _read_settings(self) -> None:
        with self._rereading:
            if self._have_changed() and (fixed := self._reread()) is not None:
                self._fixed = {credential.digest: credential for credential in fixed}

    def _read(self, begun: int) -> None:
        """Read the stored ones and put all together, unless that was done by a read after this many."""
        with self._reading:
            if self._done > begun and self._combined is self._fixed:
                return
            self._begun = number = self._begun + 1
            version, stored = run(self._client, _VERSION, ("HVALS", keys.CREDENTIALS))
            fixed = self._fixed
            self._stored = {credential.digest: credential for credential in map(_decode, stored)}
            both = [*fixed.values(), *self._stored.values()]
            self._known = frozenset(catalog_key for credential in both for catalog_key in credential.scopes)
            self._version, self._combined, self._done = version, fixed, number


_VERSION: Command = ("GET", keys.CREDENTIALS_VERSION)
_decode = msgspec.json.Decoder(Credential).decode
