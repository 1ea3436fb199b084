"""Write a member of a small hash of a catalog, once for all requests with one Idempotency-Key."""

from __future__ import annotations

from shared.errors import KeyUsed
from shared.idempotency import IDEMPOTENCY_TTL_MS, UNNAMED, IdempotencyKey
from shared.keys import CatalogKeys
from shared.store.scripts import WRITE_MEMBER, Command


def write_member(
    of: CatalogKeys,
    members: str,
    name: str,
    member: bytes,
    *,
    most: int,
    was: bytes = b"",
    idempotency: IdempotencyKey | None,
) -> Command:
    """Build the call that writes a member; an empty one is removed.  Its reply is a code and the first answer.

    With ``was``, the member is only written in place of just that.
    """
    named = idempotency or UNNAMED
    return WRITE_MEMBER.command(
        members=members,
        idempotency=of.idempotency(named.scope_digest),
        name=name,
        member=member,
        was=was,
        most=most,
        digest=named.request_digest,
        idempotency_ttl_ms=IDEMPOTENCY_TTL_MS,
    )


def refuse_used(code: bytes) -> None:
    """Raise KeyUsed if the Idempotency-Key was used for another request."""
    if code == b"CONFLICT":
        raise KeyUsed
