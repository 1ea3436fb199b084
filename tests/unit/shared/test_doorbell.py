"""Ringing: a dead broker never delays or fails the caller."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from kombu import Connection

from shared import doorbell
from shared.doorbell import Doorbell, broker_url_for, choose_broker_url, doorbell_app
from shared.waiting import wait_until

#: Far less than any time-out of a broker.
AT_ONCE_S = 0.5


@pytest.fixture
def mute_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def _bell(url: str) -> Doorbell:
    return Doorbell(doorbell_app(url), url)


def _ring_times(bell: Doorbell, rings: int) -> float:
    before = time.monotonic()
    for number in range(rings):
        bell.ring(f"catalog-{number}")
    return time.monotonic() - before


@pytest.mark.parametrize("transport", ["redis", "amqp"])
def test_a_mute_broker_does_not_delay_the_caller(mute_port: int, transport: str) -> None:
    assert _ring_times(_bell(f"{transport}://127.0.0.1:{mute_port}//"), 1000) < AT_ONCE_S


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/1", "nonsense://nowhere"])
def test_what_a_ring_needs_is_imported_before_there_is_one(url: str) -> None:
    """The first one would be late by as long as that takes.  An address that is wrong shows when it rings."""
    make = f"from shared.doorbell import Doorbell, doorbell_app; Doorbell(doorbell_app({url!r}), {url!r})"
    code = f"{make}; import sys; print('celery.app.amqp' in sys.modules, 'kombu.transport.redis' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["True", str(url.startswith("redis"))]


def test_a_dead_broker_does_not_delay_the_caller() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert _ring_times(_bell(f"redis://127.0.0.1:{port}/1"), 1000) < AT_ONCE_S


def test_after_a_failure_the_broker_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rings are dropped meanwhile, and the sweep finds the work; afterwards the broker is tried again."""
    bell, tried = _bell("redis://127.0.0.1:1/1"), []

    def fail() -> None:
        tried.append(time.monotonic())
        raise OSError("nobody there")

    monkeypatch.setattr(bell, "_connect", fail)
    monkeypatch.setattr(doorbell, "BREAK_S", 0.3)
    for _ in range(100):
        bell.ring("acme")
    wait_until(lambda: tried and bell._rings.empty(), "all rings are taken", timeout_s=5, every_s=0.01)
    assert len(tried) == 1
    wait_until(lambda: bell.ring("acme") or len(tried) > 1, "another try", timeout_s=5, every_s=0.01)
    assert tried[1] - tried[0] >= 0.3


def test_nobody_is_rung_for_where_that_is_needless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker is awake: the broker is not even asked."""
    url, asked, tried = "redis://127.0.0.1:1/1", [], []
    bell = Doorbell(doorbell_app(url), url, needless=lambda: not asked.append(1))
    monkeypatch.setattr(bell, "_connect", lambda: tried.append(1))
    for _ in range(5):
        bell.ring("acme")
    wait_until(lambda: asked and bell._rings.empty(), "all rings are looked at", timeout_s=5, every_s=0.01)
    assert tried == []


def test_after_a_while_without_work_a_ring_goes_ahead_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without asking whether a worker is awake, which takes as long as to send; the one after it asks as ever."""
    happened: list[str] = []
    bell = Doorbell(doorbell_app("memory://"), "memory://", needless=lambda: not happened.append("asked"))
    monkeypatch.setattr(bell, "_send", lambda producer, catalog_key: happened.append(catalog_key))

    def next_is(*expected: str) -> None:
        wait_until(lambda: len(happened) >= len(expected), "the rings are dealt with", timeout_s=5, every_s=0.01)
        assert happened == [*expected]
        happened.clear()

    monkeypatch.setattr(doorbell, "QUIET_S", 3600.0)
    bell.ring_ahead("first")
    next_is("first")
    bell.ring("first")
    next_is("asked")
    bell.ring_ahead("second")
    bell.ring("second")
    next_is("asked")
    monkeypatch.setattr(doorbell, "QUIET_S", 0.0)
    bell.ring_ahead("after a while")
    next_is("after a while")


def test_a_worker_that_was_rung_for_ahead_has_a_moment_to_wake_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the ring that follows, once the work is stored, would wake another one."""
    monkeypatch.setattr(doorbell, "WATCHED_S", 0.3)
    asked, sent = list[float](), list[str]()
    bell = Doorbell(doorbell_app("memory://"), "memory://", needless=lambda: not asked.append(time.monotonic()))
    monkeypatch.setattr(bell, "_send", lambda producer, catalog_key: sent.append(catalog_key))
    began = time.monotonic()
    bell.ring_ahead("acme")
    bell.ring("acme")
    wait_until(lambda: asked, "the second is asked for", timeout_s=5, every_s=0.01)
    assert sent == ["acme"]
    assert asked[0] - began >= 0.3


def test_a_wake_up_is_the_message_that_celery_would_send() -> None:
    """Workers of any age read it, and Flower shows its catalog."""
    bell = _bell("memory://")
    queue = bell._app.amqp.queues[doorbell.QUEUE].bind(Connection("memory://").default_channel)
    queue.declare()
    queue.purge()
    bell.ring("acme")
    wait_until(lambda: queue.queue_declare().message_count == 1, "it is sent", timeout_s=5, every_s=0.01)
    bell._app.send_task(doorbell.DRAIN_JOB, args=("acme",), ignore_result=True, queue=doorbell.QUEUE)
    ours, usual = queue.get(no_ack=True), queue.get(no_ack=True)
    # Nobody waits for the reply.
    own = ("id", "root_id", "correlation_id", "delivery_tag", "delivery_info", "reply_to")
    assert ours.headers["id"] == ours.headers["root_id"] == ours.properties["correlation_id"] != usual.headers["id"]
    for given in ("headers", "properties"):
        ours_of, usual_of = ({**getattr(each, given), **dict.fromkeys(own)} for each in (ours, usual))
        assert ours_of == usual_of
    assert (ours.payload, ours.content_type) == (usual.payload, usual.content_type)


def test_one_look_answers_for_all_rings_that_waited() -> None:
    """A worker came back: what was to be rung for meanwhile is not worth a question each."""
    asked, gate = [], threading.Event()

    def needless() -> bool:
        asked.append(1)
        return gate.wait(5)

    bell = Doorbell(doorbell_app("memory://"), "memory://", needless=needless)
    bell.ring("acme")
    wait_until(lambda: asked, "the first is asked for", timeout_s=5, every_s=0.01)
    for _ in range(1000):
        bell.ring("acme")
    gate.set()
    wait_until(bell._rings.empty, "all rings are taken", timeout_s=5, every_s=0.01)
    # Those that came after the first had been asked for share the second.
    assert len(asked) <= 2


def test_a_worker_that_is_awake_is_asked_for_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each of the rings that come while it works, which would be a call to the store each."""
    monkeypatch.setattr(doorbell, "WATCHED_S", 0.3)
    asked: list[float] = []
    bell = Doorbell(doorbell_app("memory://"), "memory://", needless=lambda: not asked.append(time.monotonic()))
    wait_until(lambda: bell.ring("acme") or len(asked) > 1, "another look", timeout_s=5, every_s=0.01)
    assert asked[1] - asked[0] >= 0.3


def test_rings_that_no_worker_takes_do_not_pile_up_in_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "ENOUGH_RINGS", 10)
    monkeypatch.setattr(doorbell, "BREAK_S", 0.3)
    bell = _bell("memory://")
    queue = bell._app.amqp.queues[doorbell.QUEUE].bind(Connection("memory://").default_channel)
    queue.declare()
    queue.purge()
    for _ in range(1000):
        bell.ring("acme")
    wait_until(bell._rings.empty, "all rings are taken", timeout_s=5, every_s=0.01)
    assert queue.queue_declare().message_count == 10
    queue.purge()
    wait_until(
        lambda: bell.ring("acme") or queue.queue_declare().message_count, "it rings again", timeout_s=5, every_s=0.01
    )


def test_rings_that_nobody_takes_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "WAITING_RINGS", 10)
    bell = _bell("redis://127.0.0.1:1/1")
    monkeypatch.setattr(bell, "_run", lambda: None)
    for _ in range(100):
        bell.ring("acme")
    assert bell._rings.qsize() == 10


def test_a_mute_broker_is_not_reachable_and_says_so_in_time(mute_port: int) -> None:
    before = time.monotonic()
    assert not _bell(f"redis://127.0.0.1:{mute_port}/1").reachable()
    assert time.monotonic() - before < 4 * doorbell.BROKER_TIMEOUT_S


@pytest.mark.parametrize(
    ("store", "broker"),
    [
        ("redis://localhost", "redis://localhost/1"),
        ("redis://localhost:6379/0", "redis://localhost:6379/1"),
        ("redis://user:pass%2Fword@host:7000/3", "redis://user:pass%2Fword@host:7000/4"),
        ("rediss://host/0?ssl_cert_reqs=none", "rediss://host/1?ssl_cert_reqs=none"),
        ("unix:///run/s.sock", "redis+socket:///run/s.sock?virtual_host=1"),
        ("unix:///run/s.sock?db=2", "redis+socket:///run/s.sock?virtual_host=3"),
    ],
)
def test_the_broker_lies_beside_the_store(store: str, broker: str) -> None:
    """The same server, another logical database."""
    assert broker_url_for(store) == broker


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (None, "redis://h:1/1"),
        ("amqp://me:pw@h/v", "amqp://me:pw@h/v"),
        ("redis://h:2/3?password=s3cr3t", "redis://:s3cr3t@h:2/3"),
        ("redis://h/3?username=me&password=a%40b&ssl_cert_reqs=none", "redis://me:a%40b@h/3?ssl_cert_reqs=none"),
        ("sentinel://a:1;sentinel://b:2", "sentinel://a:1;sentinel://b:2"),
    ],
)
def test_the_password_of_a_given_broker_stands_where_it_is_hidden(given: str | None, used: str) -> None:
    """Wherever it was written: Celery prints the options of a URL as they are, and takes no login from there."""
    assert choose_broker_url(given, "redis://h:1/0") == used
    shown = Connection(used).as_uri()
    assert not any(secret in shown for secret in ("s3cr3t", "a%40b", "a@b"))
