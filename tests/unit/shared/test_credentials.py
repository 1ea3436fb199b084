"""Credentials allow exactly what they name, on a stand-in for Redis."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import fakeredis
import pytest

from shared.credentials import NOTED_EVERY_MS, STALE_MS, Credential, Credentials, Scope, digest_of, parse_credentials
from shared.errors import BadSetting, StoreUnavailable
from shared.store.scripts import run
from shared.waiting import wait_until
from tests.support.by_hand import HandClock


@pytest.fixture
def stand_in() -> fakeredis.FakeRedis:
    return fakeredis.FakeRedis()


def _credential(token: str, *catalog_keys: str, scope: Scope = Scope.READ_WRITE, name: str = "shop") -> Credential:
    return Credential(name, digest_of(token), dict.fromkeys(catalog_keys, scope))


def _open(client: fakeredis.FakeRedis, clock: HandClock, settings: str = "") -> Credentials:
    return Credentials(client, parse_credentials(settings), clock=clock)


def test_a_scope_allows_what_it_says() -> None:
    """Writing includes reading, reading does not include writing, and other catalogs are none of its business."""
    read, write = _credential("t", "a", scope=Scope.READ), _credential("t", "a")
    assert [read.allows("a", Scope.READ), read.allows("a", Scope.READ_WRITE)] == [True, False]
    assert [write.allows("a", Scope.READ), write.allows("a", Scope.READ_WRITE)] == [True, True]
    assert not write.allows("b", Scope.READ)


def test_settings_are_read() -> None:
    """Commas or line ends separate; a token that stands there several times gets all of its catalogs."""
    text = "one:secret, two:secret:r\n\n  # the other shop\nthree:other:rw\n"
    secret, other = parse_credentials(text)
    assert secret.scopes == {"one": Scope.READ_WRITE, "two": Scope.READ}
    assert other.scopes == {"three": Scope.READ_WRITE}
    assert secret.digest == hashlib.sha256(b"secret").hexdigest()


def test_a_comment_reaches_to_the_end_of_its_line() -> None:
    assert parse_credentials("# ours, theirs\none:secret") == parse_credentials("one:secret")


@pytest.mark.parametrize(
    "bad", ["one", "one:", ":secret", "one:secret:x", "o ne:secret", "one:secret:x:more", "ö:secret"]
)
def test_bad_settings_are_refused_without_showing_a_secret(bad: str) -> None:
    with pytest.raises(BadSetting, match="credential 2 is not of the form") as problem:
        parse_credentials(f"good:fine,{bad}")
    assert "secret" not in str(problem.value)


def test_a_token_of_the_settings_may_have_a_name() -> None:
    """The first counts, of a token that stands there several times; one without is called after its hash."""
    text = "one:secret, two:secret:r:price feed, three:secret:rw:other, one:else::agency, one:plain:rw:"
    named, other, plain = parse_credentials(text)
    assert (named.name, list(named.scopes)) == ("price feed", ["one", "two", "three"])
    assert (other.name, other.scopes) == ("agency", {"one": Scope.READ_WRITE})
    assert plain.name == f"settings-{plain.digest[:6]}"
    for name in (" x", "x" * 101):
        with pytest.raises(BadSetting, match="credential 1: a name has"):
            parse_credentials(f"one:secret:rw:{name}")


def test_stored_and_fixed_credentials_are_found(stand_in: fakeredis.FakeRedis, clock: HandClock) -> None:
    credentials = _open(stand_in, clock, "one:fixed")
    credentials.store(_credential("stored", "two"))
    fixed, stored = credentials.find("fixed"), credentials.find("stored")
    assert fixed is not None
    assert stored is not None
    assert fixed.allows("one", Scope.READ_WRITE)
    assert stored.allows("two", Scope.READ_WRITE)
    assert credentials.find("neither") is None
    assert [credentials.knows(catalog_key) for catalog_key in ("one", "two", "three")] == [True, True, False]


def test_no_token_is_ever_stored(stand_in: fakeredis.FakeRedis, clock: HandClock) -> None:
    _open(stand_in, clock).store(_credential("very-secret-token", "one"))
    assert b"very-secret-token" not in b"".join(stand_in.dump(key) for key in stand_in.keys("*"))


def test_changes_made_elsewhere_are_seen_soon(stand_in: fakeredis.FakeRedis, clock: HandClock) -> None:
    """Within STALE_MS, without asking Redis for each request."""
    here, elsewhere = _open(stand_in, clock), _open(stand_in, clock)
    assert here.find("t") is None
    elsewhere.store(_credential("t", "one"))
    clock.advance(STALE_MS - 1)
    assert here.find("t") is None
    clock.advance(1)
    assert here.find("t") is not None
    elsewhere.revoke("shop")
    clock.advance(STALE_MS)
    assert here.find("t") is None
    assert not here.knows("one")


def test_a_file_that_changes_while_the_store_is_away_counts_afterwards(
    stand_in: fakeredis.FakeRedis, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told only once that it did; then the catalogs that it names are known, and those gone from it are not."""
    news = list[list[Credential]]()
    credentials = Credentials(
        stand_in, parse_credentials("one:secret"), clock=clock, have_changed=lambda: bool(news), reread=news.pop
    )
    assert credentials.knows("one")
    news.append(parse_credentials("two:other"))

    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    clock.advance(STALE_MS)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("shared.credentials.run", away)
        with pytest.raises(StoreUnavailable):
            credentials.knows("two")
    assert [credentials.knows(catalog_key) for catalog_key in ("one", "two")] == [False, True]


def test_a_file_that_changes_while_another_thread_puts_all_together_counts(
    stand_in: fakeredis.FakeRedis, clock: HandClock
) -> None:
    """What that thread had begun with must not stand for the new file."""
    news = list[list[Credential]]()
    others: list[threading.Thread] = []

    class Meanwhile(dict[str, Scope]):
        """Scopes that are looked at just when another thread reads the file."""

        def __iter__(self) -> Iterator[str]:
            clock.advance(STALE_MS)
            news.append(parse_credentials("two:other"))
            others.append(threading.Thread(target=credentials.knows, args=("two",)))
            others[0].start()
            wait_until(lambda: "two" in credentials.fixed()[0].scopes, "the file is read", timeout_s=5, every_s=0.01)
            return super().__iter__()

    before = Credential("shop", digest_of("secret"), Meanwhile(one=Scope.READ))
    credentials = Credentials(stand_in, [before], clock=clock, have_changed=lambda: bool(news), reread=news.pop)
    credentials.knows("one")
    others[0].join()
    clock.advance(STALE_MS)
    assert [credentials.knows(catalog_key) for catalog_key in ("one", "two")] == [False, True]


def test_many_who_see_changes_at_once_share_one_look_at_all_tokens(
    stand_in: fakeredis.FakeRedis, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if each of them has seen another version: a script makes a thousand tokens."""
    credentials = _open(stand_in, clock, "one:secret")
    assert credentials.knows("one")
    clock.advance(STALE_MS)
    all_have_seen, versions, looks = threading.Barrier(8), itertools.count(), []

    def looking(client: Any, *commands: Any) -> Any:
        if len(commands) > 1:
            looks.append(commands)
            return run(client, *commands)
        version = b"version %d" % next(versions)
        all_have_seen.wait(5)
        return [version]

    monkeypatch.setattr("shared.credentials.run", looking)
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(credentials.knows, ["one"] * 8))
    assert len(looks) == 1


def test_a_clock_that_was_set_back_does_not_freeze_them(stand_in: fakeredis.FakeRedis, clock: HandClock) -> None:
    credentials = _open(stand_in, clock)
    assert credentials.find("t") is None
    _open(stand_in, clock).store(_credential("t", "one"))
    clock.advance(-3600_000)
    assert credentials.find("t") is not None


def test_revoking_takes_all_of_a_name(stand_in: fakeredis.FakeRedis, clock: HandClock) -> None:
    credentials = _open(stand_in, clock)
    for token, name in (("a", "shop"), ("b", "shop"), ("c", "other")):
        credentials.store(_credential(token, "one", name=name))
    assert [credential.name for credential in credentials.all()] == ["other", "shop", "shop"]
    assert credentials.revoke("shop") == 2
    assert credentials.revoke("shop") == 0
    assert [credential.name for credential in credentials.all()] == ["other"]


def test_one_of_several_of_a_name_is_revoked_by_its_id(stand_in: fakeredis.FakeRedis, clock: HandClock) -> None:
    credentials = _open(stand_in, clock)
    for token in ("one", "two"):
        credentials.store(_credential(token, "acme", name="feed"))
    clock.advance(STALE_MS)
    assert credentials.revoke(digest_of("one")[:8]) == 1
    clock.advance(STALE_MS)
    assert credentials.find("one") is None
    assert credentials.find("two")
    assert credentials.revoke("feed") == 1


def test_it_is_known_when_a_token_was_last_used(stand_in: fakeredis.FakeRedis, clock: HandClock) -> None:
    """Configured ones too; once a minute is enough, and what is revoked is forgotten."""
    credentials = _open(stand_in, clock, "acme:fixed")
    credentials.store(_credential("stored", "acme"))
    clock.advance(STALE_MS)
    first = clock()
    credentials.find("stored")
    credentials.find("fixed")
    clock.advance(NOTED_EVERY_MS - 1)
    credentials.find("stored")
    assert credentials.last_used() == {digest_of("stored")[:8]: first, digest_of("fixed")[:8]: first}
    clock.advance(1)
    credentials.find("stored")
    assert credentials.last_used()[digest_of("stored")[:8]] == clock()
    credentials.revoke("shop")
    assert credentials.last_used().keys() == {digest_of("fixed")[:8]}
