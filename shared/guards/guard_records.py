"""The guards of one catalog, as the store has them: the rules of each kind and section, and how they came to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import msgspec

from shared.codec import encode_json
from shared.errors import KeyUsed, SluiceError
from shared.guards.rules import Rules
from shared.idempotency import IDEMPOTENCY_TTL_MS, UNNAMED, IdempotencyKey
from shared.keys import CatalogKeys
from shared.model import Kind
from shared.nonces import new_nonce
from shared.store import scripts
from shared.store.client import Store

#: Most guards of one catalog, and most bytes of the rules of one.
MOST = 50
RULES_BYTES = 64_000


class TooManyGuards(SluiceError):
    """A catalog has as many guards as it may."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules for one kind in one section, and who set them."""

    kind: Kind
    #: Empty for item groups.
    section: str
    #: Grows with every change of any guard of the catalog.
    version: int
    changed_ms: int
    changed_by: str
    #: As they were sent; null: removed.
    rules: dict[str, Any] | None = field(default_factory=dict)


_decode_guard = msgspec.json.Decoder(Guard).decode


class Guards:
    """The guards of one catalog.  Every call is one round trip and raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._keys = CatalogKeys(catalog_key)

    def all(self) -> list[Guard]:
        """List them, by section and kind."""
        [found] = scripts.run(self._client, ("HVALS", self._keys.guards))
        return sorted(map(_decode_guard, found), key=lambda guard: (guard.section, guard.kind))

    def get(self, kind: Kind, section: str) -> Guard | None:
        [found] = scripts.run(self._client, ("HGET", self._keys.guards, place(kind, section)))
        return None if found is None else _decode_guard(found)

    def rules(self, kind: Kind, section: str) -> Rules | None:
        """Read the rules for a kind in a section; None if there are none."""
        [found] = scripts.run(self._client, ask_for_rules(self._keys, [place(kind, section)]))
        return read_rules(found)[0]

    def history(self) -> list[Guard]:
        """List the last changes, newest first."""
        [found] = scripts.run(self._client, ("LRANGE", self._keys.guard_changes, 0, -1))
        return list(map(_decode_guard, found))

    def set(self, kind: Kind, section: str, rules: Mapping[str, Any], *, who: str, now_ms: int) -> Guard:
        """Replace the rules for a kind in a section, as `set_once`."""
        return self.set_once(kind, section, rules, who=who, now_ms=now_ms)[0]

    def set_once(
        self,
        kind: Kind,
        section: str,
        rules: Mapping[str, Any],
        *,
        who: str,
        now_ms: int,
        idempotency: IdempotencyKey | None = None,
    ) -> tuple[Guard, bool]:
        """Replace the rules for a kind in a section.  They hold for every task that is accepted after this.

        The same rules again change nothing.  A repeat with the same Idempotency-Key gets the guard of the first;
        whether it was one is told beside it.  Raises TooManyGuards, KeyUsed and StoreFull.
        """
        [code, guard] = self._write(kind, section, encode_json(rules), who, now_ms, idempotency)
        if code == b"TOO_MANY":
            raise TooManyGuards(f"a key may have at most {MOST} guards")
        return _decode_guard(guard), code == b"REPEATED"

    def remove(
        self, kind: Kind, section: str, *, who: str, now_ms: int, idempotency: IdempotencyKey | None = None
    ) -> tuple[bool, bool]:
        """Remove the rules for a kind in a section; False if there are none; then whether it was a repeat.

        Raises KeyUsed.
        """
        [code, _] = self._write(kind, section, b"", who, now_ms, idempotency)
        return code != b"NOT_FOUND", code == b"REPEATED"

    def _write(
        self, kind: Kind, section: str, rules: bytes, who: str, now_ms: int, idempotency: IdempotencyKey | None
    ) -> Sequence[bytes]:
        named = idempotency or UNNAMED
        about = encode_json({"kind": kind, "section": section, "changed_ms": now_ms, "changed_by": who})
        command = scripts.WRITE_GUARD.command(
            guards=self._keys.guards,
            guard_changes=self._keys.guard_changes,
            position=self._keys.position,
            place=place(kind, section),
            rules=rules,
            about=about[1:-1],
            stamp=new_nonce(),
            most=MOST,
            idempotency=self._keys.idempotency(named.scope_digest),
            digest=named.request_digest,
            idempotency_ttl_ms=IDEMPOTENCY_TTL_MS,
        )
        [reply] = scripts.run(self._client, command)
        if reply[0] == b"CONFLICT":
            raise KeyUsed
        return reply  # type: ignore[no-any-return]


def place(kind: Kind, section: str) -> str:
    """Name where rules hold."""
    return f"{kind}:{quote(section, safe='')}"


def ask_for_rules(keys: CatalogKeys, places: Sequence[str]) -> scripts.Command:
    """Ask for the rules that hold at some places."""
    return ("HMGET", keys.guards, *places)


def read_rules(values: Sequence[bytes | None]) -> list[Rules | None]:
    """Parse the reply; None where there are no rules."""
    return [None if value is None else _rules(value) for value in values]


@lru_cache(maxsize=256)
def _rules(value: bytes) -> Rules:
    # What a newer version has added is ignored.
    guard = _decode_guard(value)
    return replace(msgspec.convert(guard.rules or {}, Rules, strict=False), version=guard.version)
