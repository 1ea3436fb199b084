"""Many calls of one thread over one connection: each gets its own answer, a broken connection costs none of them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from greenlet import greenlet

from shared.elsewhere import elsewhere
from shared.errors import StoreUnavailable
from shared.model import Operation
from shared.store import scripts
from shared.store.client import connect
from shared.store.lines import Line, together
from shared.store.scripts import run
from tests.integration.store.desk import Desk
from tests.support.batches import items, make_batch
from tests.support.proxy import Proxy
from tests.support.rig import Rig
from tests.support.store_server import StoreServer

#: Calls at a time.
CALLS = 8


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def far(proxy: Proxy, rig: Rig) -> Iterator[Rig]:
    """A rig whose calls go through the proxy; the very first submit of a process is turned away, so that is over."""
    rig.put(*items("0"))
    rig.drain()
    with connect(proxy.url) as client:
        yield Rig(client, rig.clock, rig.bell, rig.settings, rig.accepted)


def ask(client: redis.Redis, *command: str | int) -> Callable[[], Any]:
    def call() -> Any:
        with together():
            return run(client, command)[0]

    return call


def put(rig: Rig, number: int) -> Callable[[], int]:
    """Send an item; the answer is the id of its task."""
    return lambda: rig.put(*items(str(number)))


def submit(rig: Rig, number: int) -> Callable[[], int]:
    """The same where an answer may be lost: its repeat is known as one."""
    return lambda: rig.submit_batch(make_batch(Operation.PUT, items(str(number)))).task_id


def test_calls_are_under_way_together(desk: Desk, store_server: StoreServer) -> None:
    """The last has begun before the first has its answer."""
    client, seen = connect(store_server.url), list[str]()

    def noted(name: str) -> Callable[[], None]:
        def call() -> None:
            seen.append(f"{name} begins")
            ask(client, "ECHO", name)()
            seen.append(f"{name} ends")

        return call

    desk.serve(ask(client, "PING"), [noted("a"), noted("b")])
    assert seen == ["a begins", "b begins", "a ends", "b ends"]
    assert desk.elsewhere == 1  # the line was opened


def test_each_call_gets_its_own_answer_also_if_that_is_an_error(desk: Desk, store_server: StoreServer) -> None:
    client = connect(store_server.url)
    texts = [str(number) * (100_000 if number == 2 else 1) for number in range(5)]
    calls = [*(ask(client, "ECHO", text) for text in texts), ask(client, "LPUSH", "one-word")]
    _, *answers, wrong = desk.serve(ask(client, "PING"), calls)
    assert answers == [text.encode() for text in texts]
    assert isinstance(wrong, redis.ResponseError)


def test_what_the_server_says_unasked_is_no_answer(desk: Desk, store_server: StoreServer) -> None:
    """Notices of a moving server, or of a changed key, come in between."""
    client = connect(store_server.url)

    def changed_by_another() -> None:
        with connect(store_server.url) as other:
            other.set("watched", "2")

    rounds = [
        ask(client, "CLIENT", "TRACKING", "ON"),
        ask(client, "GET", "watched"),
        changed_by_another,
        [ask(client, "ECHO", "a"), ask(client, "ECHO", "b")],
    ]
    assert desk.serve(*rounds)[-2:] == [b"a", b"b"]


def test_a_call_that_is_not_made_together_blocks_no_other(desk: Desk, store_server: StoreServer) -> None:
    """Another thread makes it, and may wait as long as it likes."""
    client, seen = connect(store_server.url), list[str]()

    def noted(name: str, call: Callable[[], Any]) -> Callable[[], None]:
        def make() -> None:
            call()
            seen.append(name)

        return make

    slow, quick = lambda: run(client, ("BLPOP", "nothing", 1)), ask(client, "PING")
    desk.serve(quick, [noted("slow", slow), noted("quick", quick)])
    assert seen == ["quick", "slow"]


def test_whoever_waits_for_a_lock_elsewhere_blocks_no_other(desk: Desk, store_server: StoreServer) -> None:
    """One call holds it while it asks the store, and the next one wants it."""
    client, lock = connect(store_server.url), threading.Lock()

    def locked() -> Any:
        def work() -> Any:
            with lock:
                return run(client, ("PING",))[0]

        return elsewhere(work)

    assert desk.serve([locked, locked, ask(client, "PING")]) == [True, True, True]


def test_submits_over_one_line_are_a_task_each(desk: Desk, rig: Rig) -> None:
    rig.put(*items("0"))
    _, *done = desk.serve(ask(rig.client, "PING"), [put(rig, number) for number in range(CALLS)])
    assert done == list(range(2, CALLS + 2))
    rig.drain()
    rig.check_laws()


@pytest.mark.parametrize("before", [0, 3])
def test_a_line_that_breaks_before_the_answer_leaves_one_task_for_each_call(
    desk: Desk, far: Rig, rig: Rig, proxy: Proxy, before: int
) -> None:
    """Some were carried out and some did not arrive: all are made again, and count once."""
    calls = [submit(far, number) for number in range(1, CALLS + 1)]

    def lose() -> None:
        proxy.lose_reply_to(scripts.SUBMIT_BATCH.sha.encode())

    results = desk.serve(ask(far.client, "PING"), calls[:before], lose, calls[before:], submit(far, 99))
    assert proxy.broken == 1
    task_ids = [each for each in results if isinstance(each, int) and each is not True]
    assert sorted(task_ids) == list(range(2, CALLS + 3))
    assert rig.client.xlen(rig.keys().stream) == CALLS + 1
    rig.drain()
    assert len(rig.bodies()) == CALLS + 2


def test_a_connection_that_the_server_closed_meanwhile_is_opened_again(desk: Desk, store_server: StoreServer) -> None:
    client = connect(store_server.url)

    def closed() -> None:
        with connect(store_server.url) as other:
            other.client_kill_filter(_type="normal", skipme=True)

    both = [ask(client, "ECHO", "a"), ask(client, "ECHO", "b")]
    results = desk.serve(ask(client, "PING"), closed, both, both, closed, both)
    assert [each for each in results if isinstance(each, bytes)] == [b"a", b"b"] * 3


def test_a_server_that_hangs_is_given_up_by_all_and_not_asked_again(desk: Desk, store_server: StoreServer) -> None:
    """As anywhere else: the next call would wait as long."""
    client = redis.Redis.from_url(store_server.url, socket_timeout=0.3)

    def pause() -> None:
        with connect(store_server.url) as other:
            other.client_pause(2_000)

    began = time.monotonic()
    *_, first, second, third = desk.serve(ask(client, "PING"), pause, [ask(client, "INCR", "hung") for _ in range(3)])
    assert time.monotonic() - began < 0.9
    assert [type(each) for each in (first, second, third)] == [StoreUnavailable] * 3
    with connect(store_server.url) as other:
        other.client_unpause()
        assert not other.get("hung")


def test_a_server_that_takes_no_writes_any_more_is_told_as_such(desk: Desk, store_server: StoreServer) -> None:
    client = connect(store_server.url)
    client.replicaof("127.0.0.1", "1")
    try:
        results = desk.serve(ask(client, "PING"), [ask(client, "SET", "a", 1) for _ in range(2)])
    finally:
        client.replicaof("NO", "ONE")
    assert [type(each) for each in results[1:]] == [StoreUnavailable] * 2


def test_an_answer_and_the_end_of_the_connection_that_come_at_once_are_both_seen() -> None:
    """They are one event, after which there is none."""
    ours, servers = socket.socketpair()
    line, got = Line(Connection(ours)), list[Any]()

    def call() -> None:
        try:
            got.append(line.exchange(b"*1\r\n$4\r\nPING\r\n", 1))
        except redis.ConnectionError:
            got.append("broken")

    with servers:
        for _ in range(2):
            greenlet(call).switch()
        servers.sendall(b"+ONE\r\n")
    with pytest.raises(redis.ConnectionError) as caught:
        line.read()
    line.close(caught.value)
    assert got == [[b"ONE"], "broken"]


class Connection:
    """As much of redis-py's as a line uses."""

    socket_timeout = 5.0

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._parser = sock, self
        self.disconnect = sock.close

    def parse_error(self, text: str) -> redis.ResponseError:
        return redis.ResponseError(text)
