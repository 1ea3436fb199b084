"""An answer that is lost on its way: redis-py sends again by itself, and everything has happened once all the same.

The proxy lets the request reach the server, waits until it is done, and breaks the connection before the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis

from shared.errors import StoreUnavailable
from shared.model import Kind, Operation
from shared.nonces import new_nonce
from shared.partition.grants import Grant
from shared.partition.step_results import StepResult
from shared.partition.submissions import Submission, TaskChange
from shared.partition.tail import NONCE_TTL_MS
from shared.store import id_writes, resending, scripts, wire
from shared.store.client import LONGEST_CALL_S, connect
from shared.store.resending import AGAIN_WITHIN_S, ARRIVES_WITHIN_MS, about_to_send, is_repeat
from tests.support.batches import items, make_batch, named, variations
from tests.support.proxy import Proxy
from tests.support.rig import ACME, Rig
from workers.drain.drainer import Drained


@pytest.fixture
def far(proxy: Proxy, rig: Rig) -> Iterator[Rig]:
    """A rig whose every call goes through the proxy; what a test looks at with ``rig`` does not."""
    scripts.load_all(rig.client)
    with connect(proxy.url) as client:
        yield Rig(client, rig.clock, rig.bell, rig.settings, rig.accepted)


def lose_reply_to(proxy: Proxy, script: scripts.Script) -> None:
    proxy.lose_reply_to(script.sha.encode())


def test_the_proxy_passes_everything_on(far: Rig, rig: Rig, proxy: Proxy) -> None:
    """Told nothing, it breaks nothing."""
    far.put(*items(*map(str, range(3000))), chunk_entries=1000)
    assert far.drain() is Drained.EMPTY
    rig.check_laws()
    assert proxy.broken == 0


@pytest.mark.parametrize("entries", [1, 3000])
def test_a_lost_answer_to_a_submit_leaves_one_task(far: Rig, rig: Rig, proxy: Proxy, entries: int) -> None:
    """The second sending is known by its nonce; what it staged is gone again."""
    made = make_batch(Operation.PUT, items(*map(str, range(entries))))
    # The very first is turned away, see shared/store/id_writes.py.
    rig.put(*items("0"))
    rig.drain()
    lose_reply_to(proxy, scripts.SUBMIT_BATCH)
    submitted = far.submit_batch(made, nonce="n")
    assert proxy.broken == 1
    assert (submitted.outcome, submitted.task_id) == (Submission.REPEATED, 2)
    assert rig.client.xlen(rig.keys().stream) == 1
    assert not rig.client.exists(rig.keys().upload("n"))
    rig.drain()
    assert len(rig.bodies()) == entries


def test_a_lost_answer_to_a_submit_with_a_script_unknown_to_the_server(far: Rig, rig: Rig, proxy: Proxy) -> None:
    """Everything is sent again after the scripts are loaded: still one task."""
    rig.client.script_flush()
    lose_reply_to(proxy, scripts.SUBMIT_BATCH)
    assert far.submit_batch(make_batch(Operation.PUT, items("a"))).task_id == 1
    assert proxy.broken == 1
    assert rig.client.xlen(rig.keys().stream) == 1
    rig.drain()


def test_a_process_that_slept_too_long_does_not_send_again(
    far: Rig, rig: Rig, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the time it wakes up, the store may have forgotten the nonce: one task; the caller is told to try again."""
    rig.put(*items("0"))
    nonces = rig.keys().nonce("*")
    clocks = iter([(0.0, 0.0), (AGAIN_WITHIN_S + 1, 0.0)])

    def woken() -> tuple[float, float]:
        rig.client.delete(*rig.client.keys(nonces))
        return next(clocks)

    monkeypatch.setattr(resending, "_clocks", woken)
    lose_reply_to(proxy, scripts.SUBMIT_BATCH)
    with pytest.raises(StoreUnavailable, match="too late"):
        far.submit_batch(make_batch(Operation.PUT, items("a")))
    monkeypatch.undo()
    assert proxy.broken == 1
    assert rig.client.xlen(rig.keys().stream) == 2
    rig.drain()


def _submit(rig: Rig) -> None:
    rig.submit_batch(make_batch(Operation.PUT, items("a")))


def _run_again(rig: Rig) -> None:
    rig.tail().change_tasks([(1, TaskChange.RERUN)], who="tester", now_ms=rig.clock(), nonce=new_nonce())


@pytest.mark.parametrize(("script", "call"), [(scripts.SUBMIT_BATCH, _submit), (scripts.CHANGE_TASKS, _run_again)])
def test_a_process_that_stopped_just_before_it_sent_again_changes_nothing(
    far: Rig,
    rig: Rig,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    script: scripts.Script,
    call: Callable[[Rig], None],
) -> None:
    """It had asked whether it may; by the time its repeat arrives the nonce is forgotten, and the store refuses it."""
    rig.put(*items("0"))
    rig.drain()

    def forget() -> None:
        about_to_send()
        if is_repeat() and (known := rig.client.keys(rig.keys().nonce("*"))):
            rig.client.delete(*known)

    monkeypatch.setattr(wire, "about_to_send", forget)
    monkeypatch.setattr(wire, "ARRIVES_WITHIN_MS", -1)
    lose_reply_to(proxy, script)
    with pytest.raises(StoreUnavailable, match="too late"):
        call(far)
    monkeypatch.undo()
    assert proxy.broken == 1
    assert rig.client.xlen(rig.keys().stream) == 1
    rig.drain()


def test_a_nonce_outlives_every_sending_of_its_call() -> None:
    """The last may begin just in time, and be under way for as long as any."""
    assert NONCE_TTL_MS > 1000 * (AGAIN_WITHIN_S + LONGEST_CALL_S)
    assert NONCE_TTL_MS > 1000 * AGAIN_WITHIN_S + ARRIVES_WITHIN_MS
    assert AGAIN_WITHIN_S > LONGEST_CALL_S + id_writes.LOG_MS / 1000


def test_a_lost_answer_to_a_change_changes_once(far: Rig, rig: Rig, proxy: Proxy) -> None:
    """One new task for a re-run, and a cancel that is not refused because it has happened."""
    rig.put(*items("a"))
    rig.drain()
    rig.put(*items("b"))
    lose_reply_to(proxy, scripts.CHANGE_TASKS)
    changes = [(1, TaskChange.RERUN), (2, TaskChange.CANCEL)]
    ids = far.tail().change_tasks(changes, who="tester", now_ms=far.clock(), nonce=new_nonce()).ids
    assert proxy.broken == 1
    assert ids == [3, 2]
    assert [entry_id for entry_id, _ in rig.client.xrange(rig.keys().stream)] == [b"3-0"]
    assert rig.task(3).retry_of == 1


def test_a_lost_answer_to_an_acquire_is_no_stall(far: Rig, rig: Rig, proxy: Proxy) -> None:
    """The same call again is handed the same lease."""
    rig.put(*items("a"))
    lose_reply_to(proxy, scripts.ACQUIRE_LEASE)
    grant = far.claim(nonce="n").acquire()
    assert proxy.broken == 1
    assert isinstance(grant, Grant)
    assert (grant.lease.token, grant.stalls, [work.task_id for work in grant.window]) == ("1:n", 0, [1])


def test_a_lost_answer_to_a_begin_begins_once(far: Rig, rig: Rig, proxy: Proxy) -> None:
    rig.put(*items("a"))
    grant = far.acquire()
    lose_reply_to(proxy, scripts.BEGIN)
    assert grant.lease.begin(1, now_ms=far.clock()) is StepResult.OK
    assert proxy.broken == 1


@pytest.mark.parametrize("wants_more", [False, True])
def test_a_lost_answer_to_a_commit_commits_once(far: Rig, rig: Rig, proxy: Proxy, wants_more: bool) -> None:
    """The repeat of a whole round is told that it is done, and brings what comes next."""
    for name in ("a", "b", "a"):
        rig.put(*items(name))
    rig.delete(*named("a"))
    grant = rig.acquire()
    steps = far.plan(grant)
    lose_reply_to(proxy, scripts.COMMIT_CHUNK)
    progress = far.take(grant, steps, wants_more=wants_more)
    assert proxy.broken == 1
    assert progress.answer is StepResult.ALREADY_DONE
    assert (progress.window is not None) == wants_more
    rig.expire_lease()
    rig.drain()
    rig.check_laws()


def test_a_lost_answer_to_a_failure_fails_once(far: Rig, rig: Rig, proxy: Proxy) -> None:
    rig.patch(*named("missing"))
    grant = rig.acquire()
    steps = far.plan(grant)
    lose_reply_to(proxy, scripts.FAIL_TASK)
    assert far.take(grant, steps).answer is StepResult.ALREADY_DONE
    assert proxy.broken == 1
    rig.check_laws()


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
def test_a_drain_survives_any_lost_answer(far: Rig, rig: Rig, proxy: Proxy, script: scripts.Script) -> None:
    """Whichever call of it is hit first, the laws hold, and what is left is found by the next drain."""
    rig.put(*items("a", "b", "c"))
    rig.put(*variations("a", *map(str, range(1200))), kind=Kind.VARIATIONS)
    rig.patch(*({"id": entry_id, "name": "x"} for entry_id in "abc"), chunk_entries=1)
    rig.patch(*named("missing"))
    rig.delete(*named("a"))
    lose_reply_to(proxy, script)
    far.with_settings(slice_s=0.0).drain()
    # After a lost answer that gave the partition back, the drain could not know it.
    rig.drain()
    rig.check_laws()
    assert rig.client.xlen(rig.keys().stream) == 0


def test_an_ingress_that_dies_while_it_stages_leaves_nothing_for_ever(far: Rig, rig: Rig, proxy: Proxy) -> None:
    """The server got the chunks and nothing else: what nobody will ever submit must expire."""
    proxy.cut_before(b"PEXPIRE")
    with pytest.raises(StoreUnavailable):
        far.submit_batch(make_batch(Operation.PUT, items("a", "b"), chunk_entries=1), nonce="n", marked=False)
    assert rig.client.pttl(rig.keys().upload("n")) != -1


def test_a_store_that_is_away_is_told_quickly(proxy: Proxy, rig: Rig) -> None:
    """As an error that says to try again."""
    proxy.close()
    with connect(proxy.url) as client, pytest.raises(StoreUnavailable):
        Rig(client).submit_batch(make_batch(Operation.PUT, items("a")))
    assert rig.client.dbsize() == 0


def test_errors_of_the_server_are_no_reason_to_try_again(rig: Rig) -> None:
    """A script that is wrong is a bug, and stays one."""
    rig.client.set(rig.keys().stream, "not a stream")
    with pytest.raises(redis.ResponseError):
        rig.drainer().drain(ACME)
    rig.client.flushdb()
