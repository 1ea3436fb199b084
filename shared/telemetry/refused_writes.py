"""Writes that were refused at the door, for those who wonder why nothing arrived: the last ones of each catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.keys import CatalogKeys
from shared.store import scripts
from shared.store.client import Store

#: Refused writes that are kept of a catalog, and for how long.
MOST = 200
KEPT_MS = 7 * 24 * 3_600_000
#: Characters that are kept of what a sender chose, and of the message.
TEXT_LENGTH = 200
MESSAGE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class RefusedWrite:
    """One refused write."""

    at_ms: int
    status: int
    method: str
    path: str
    #: Why, as its sender was told.
    message: str
    #: Name of the token; '' if it was missing, unknown, or of other catalogs only.
    token_name: str
    client: str
    address: str
    request_id: str
    #: Writes refused just before that are not in the list, as there were too many.
    left_out: int = 0


class RefusedWrites:
    """The refused writes of one catalog.  Every call is one round trip; raises StoreUnavailable or StoreFull."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._key = CatalogKeys(catalog_key).refused_writes

    def add(self, write: RefusedWrite) -> None:
        """Add one, and drop those beyond MOST; all go when there was none for KEPT_MS."""
        facts: dict[str, str | int] = {
            "at_ms": write.at_ms,
            "status": write.status,
            "method": write.method,
            "path": write.path[:TEXT_LENGTH],
            "message": write.message[:MESSAGE_LENGTH],
            "token_name": write.token_name,
            "client": write.client[:TEXT_LENGTH],
            "address": write.address,
            "request_id": write.request_id[:TEXT_LENGTH],
            "left_out": write.left_out,
        }
        pairs = [part for pair in facts.items() for part in pair]
        # A transaction: without its lifetime the list would stay for ever.
        scripts.run(
            self._client,
            ("MULTI",),
            ("XADD", self._key, "MAXLEN", MOST, "*", *pairs),
            ("PEXPIRE", self._key, KEPT_MS),
            ("EXEC",),
        )

    def last(self) -> list[RefusedWrite]:
        """List them, the last one first."""
        [found] = scripts.run(self._client, ("XREVRANGE", self._key, "+", "-"))
        return [_read(facts) for _, facts in found]

    def count(self) -> int:
        """Count those in the list."""
        [count] = scripts.run(self._client, ("XLEN", self._key))
        return int(count)


def _read(facts: Mapping[bytes, bytes]) -> RefusedWrite:
    texts = {name.decode(): value.decode(errors="replace") for name, value in facts.items()}
    numbers = {name: int(texts.pop(name, "0")) for name in ("at_ms", "status", "left_out")}
    return RefusedWrite(**texts, **numbers)  # type: ignore[arg-type]
