"""A token is rotated: what comes of both, and what never comes of it; on a real server, as it takes a script."""

from __future__ import annotations

import pytest
import redis

from shared.credentials import STALE_MS, Credential, Credentials, Scope, digest_of
from shared.errors import CredentialEnded
from tests.support.by_hand import HandClock

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def credentials(client: redis.Redis, clock: HandClock) -> Credentials:
    return Credentials(client, [], clock=clock)


def made(credentials: Credentials, token: str, expires_ms: int | None = None) -> Credential:
    credential = Credential("shop", digest_of(token), {"one": Scope.READ}, expires_ms=expires_ms)
    credentials.store(credential)
    return credential


def rotate(credentials: Credentials, old: Credential, token: str, clock: HandClock, overlap_ms: int) -> Credential:
    new = credentials.rotate(old, digest_of(token), now_ms=clock(), overlap_ms=overlap_ms)
    clock.advance(STALE_MS)
    return new


def test_a_token_is_rotated_with_an_overlap(credentials: Credentials, clock: HandClock) -> None:
    """The new one is good at once and for ever, the old one until the time is up; both may do the same."""
    old = made(credentials, "old")
    new = rotate(credentials, old, "new", clock, 60_000)
    assert credentials.find("new") == new
    assert credentials.find("old")
    clock.advance(60_000)
    assert credentials.find("old") is None
    assert credentials.find("new") == new
    assert (new.name, new.scopes, new.expires_ms) == (old.name, old.scopes, None)


def test_a_token_for_a_time_stays_one(credentials: Credentials, clock: HandClock) -> None:
    """Neither the new token nor the old one is good for longer than the old one was to be."""
    old = made(credentials, "old", expires_ms=clock() + DAY_MS)
    new = rotate(credentials, old, "new", clock, 7 * DAY_MS)
    assert new.expires_ms == old.expires_ms
    clock.advance(DAY_MS)
    assert (credentials.find("old"), credentials.find("new")) == (None, None)
    with pytest.raises(CredentialEnded, match="expired"):
        rotate(credentials, old, "newer", clock, 0)
    assert credentials.find("newer") is None


def test_a_revoked_token_stays_so_if_it_is_rotated_just_then(credentials: Credentials, clock: HandClock) -> None:
    """Who found it before it was revoked neither brings it back nor gets another."""
    old = made(credentials, "leaked")
    credentials.revoke(old.id)
    with pytest.raises(CredentialEnded, match="revoked"):
        rotate(credentials, old, "new", clock, DAY_MS)
    clock.advance(STALE_MS)
    assert (credentials.all(), credentials.find("leaked")) == ([], None)


def test_a_token_that_ends_at_once_is_not_prolonged_by_one_who_saw_it_before(
    credentials: Credentials, clock: HandClock
) -> None:
    """Of two that rotate it at a time, the second does with it as it is then."""
    old = made(credentials, "old")
    rotate(credentials, old, "new", clock, 0)
    with pytest.raises(CredentialEnded, match="expired"):
        rotate(credentials, old, "newer", clock, DAY_MS)
    assert credentials.find("old") is None
