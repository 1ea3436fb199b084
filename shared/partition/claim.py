"""A claim: how a worker becomes the owner of a partition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.errors import RecordTooNew
from shared.keys import keys_of
from shared.nonces import new_nonce
from shared.partition.grants import AcquireRefusal, Grant
from shared.partition.lease import Lease
from shared.partition.work import read_window
from shared.settings import Settings
from shared.store import scripts
from shared.store.client import Store


class Claim:
    """One worker's claim on one partition, under a nonce of its own.

    Every method is one round trip and raises StoreUnavailable if Redis does not answer; calling again is then safe.
    """

    def __init__(
        self, client: Store, settings: Settings, holder: str, catalog_key: str, *, nonce: str | None = None
    ) -> None:
        """``holder`` is the worker's name, for people to read."""
        self.holder = holder
        self.catalog_key = catalog_key
        self._client = client
        self._settings = settings
        self._nonce = nonce or new_nonce()
        self._keys = keys_of(catalog_key)

    def acquire(self) -> Grant | AcquireRefusal:
        """Become the owner, if there is work and no owner; if it is the owner already, read the head again.

        Raises RecordTooNew if a newer Sluice wrote the record at the head.
        """
        [reply] = scripts.run(self._client, self._command())
        return self._granted(reply)

    def excuse(self) -> None:
        """Give the partition back late, without counting a stall, because the store was unreachable."""
        scripts.run(self._client, scripts.EXCUSE_OWNER.command(self._keys.partition, nonce=self._nonce))

    def lease(self, token: str) -> Lease:
        """Return the lease that was granted under a fencing token."""
        return Lease(self._client, self._settings, self.catalog_key, token)

    def _command(self) -> scripts.Command:
        return scripts.ACQUIRE_LEASE.command(
            self._keys.partition,
            nonce=self._nonce,
            holder=self.holder,
            lease_ttl_ms=int(self._settings.lease_ttl_s * 1000),
            max_stalls=self._settings.max_stalls,
        )

    def _granted(self, reply: Sequence[Any]) -> Grant | AcquireRefusal:
        code, *rest = reply
        if code != b"ACQUIRED":
            return AcquireRefusal(code.decode())
        token, applied, stalls, rows = rest
        window = read_window(rows)
        if rows and not window:
            raise RecordTooNew
        return Grant(self.lease(token.decode()), applied.decode(), stalls, window)


def acquire_together(claims: Sequence[Claim]) -> list[Grant | AcquireRefusal]:
    """Acquire several partitions in one round trip (in a cluster: one to each server).

    Raises as `Claim.acquire`; some may be owned by then.
    """
    replies = scripts.run_apart(claims[0]._client, *(claim._command() for claim in claims)) if claims else []
    return [claim._granted(reply) for claim, reply in zip(claims, replies, strict=True)]
