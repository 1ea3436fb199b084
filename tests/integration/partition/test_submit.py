"""submit_batch stores a batch whole and once, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from shared.errors import StoreUnavailable
from shared.idempotency import IDEMPOTENCY_TTL_MS, IdempotencyKey
from shared.keys import padded
from shared.model import Operation, Status
from shared.partition.submissions import Submission
from shared.partition.tail import RUNG_TTL_MS
from shared.store import id_writes, scripts
from tests.support.batches import items, make_batch
from tests.support.by_hand import HandClock
from tests.support.rig import Rig

BATCH = make_batch(Operation.PUT, items("a", "b", "c"), chunk_entries=2)
ONE_SAYS = IdempotencyKey("digest-of-the-key", "digest-of-the-request")
ONE_SAYS_OTHERWISE = IdempotencyKey("digest-of-the-key", "digest-of-another-request")


def submit(rig: Rig, **how: Any) -> Any:
    return rig.submit_batch(BATCH, marked=False, **how)


def test_an_accepted_batch_is_a_task_at_the_tail(rig: Rig, clock: HandClock) -> None:
    """Record, payload, place in the stream and indexes are there in one step, and nothing staged is left."""
    submitted = submit(rig, nonce="n")
    assert (submitted.outcome, submitted.task_id) == (Submission.ACCEPTED, 1)
    assert submitted.tasks_remaining == rig.settings.queue_tasks - 1
    task, keys = rig.task(1), rig.keys()
    assert (task.status, task.batch, task.submitted_ms, task.started_ms) == (Status.QUEUED, BATCH[0], clock(), None)
    assert rig.client.lrange(keys.payload(1), 0, -1) == BATCH[1]
    assert [entry_id for entry_id, _ in rig.client.xrange(keys.stream)] == [b"1-0"]
    assert rig.client.zscore(keys.by_status(Status.QUEUED), padded(1)) == clock()
    assert not rig.client.exists(keys.upload("n"))


def test_a_repeat_gets_the_first_answer(rig: Rig) -> None:
    """redis-py re-sends by itself after a lost answer: that makes no second task, and no second ring."""
    first, second = submit(rig, nonce="n"), submit(rig, nonce="n")
    assert (second.outcome, second.task_id, second.ring) == (Submission.REPEATED, first.task_id, False)
    assert rig.client.xlen(rig.keys().stream) == 1
    assert not rig.client.exists(rig.keys().upload("n"))


def test_a_repeat_is_known_even_if_the_task_has_ended_or_the_queue_is_full(rig: Rig) -> None:
    narrow = rig.with_settings(queue_tasks=1)
    submit(narrow, nonce="n")
    assert submit(narrow, nonce="n").outcome is Submission.REPEATED
    rig.drain()
    assert submit(narrow, nonce="n").outcome is Submission.REPEATED


def test_ids_grow_by_one(rig: Rig) -> None:
    assert [submit(rig).task_id for _ in range(5)] == [1, 2, 3, 4, 5]
    rig.drain()
    assert submit(rig).task_id == 6


def test_the_time_of_submission_never_goes_back(rig: Rig, clock: HandClock) -> None:
    """So that a list by time is a list by id, whatever the ingresses' clocks say."""
    submit(rig)
    clock.advance(-5000)
    submit(rig)
    clock.advance(5001)
    submit(rig)
    times = [rig.task(task_id).submitted_ms for task_id in (1, 2, 3)]
    assert times == [clock() - 1, clock() - 1, clock()]


def test_a_server_that_came_back_gives_out_no_id_again(rig: Rig) -> None:
    """It may have lost its last second: when its run is another, ids jump, once."""
    submit(rig)
    rig.client.set(rig.keys().store_run, "a5 0")
    assert [submit(rig).task_id, submit(rig).task_id] == [10_002, 10_003]


def test_a_full_queue_refuses_and_stores_nothing(rig: Rig) -> None:
    narrow = rig.with_settings(queue_tasks=2)
    assert [submit(narrow).tasks_remaining for _ in range(2)] == [1, 0]
    before = rig.dump()
    refused = submit(narrow)
    assert (refused.outcome, refused.task_id, refused.tasks_remaining) == (Submission.TASKS_FULL, 0, 0)
    assert rig.dump() == before


def test_how_many_more_tasks_are_taken_can_be_asked(rig: Rig) -> None:
    """Never fewer than none, also if the cap was lowered."""
    caps = (3, 2, 1)
    assert [rig.with_settings(queue_tasks=cap).tail().tasks_remaining() for cap in caps] == [3, 2, 1]
    submit(rig)
    submit(rig)
    assert [rig.with_settings(queue_tasks=cap).tail().tasks_remaining() for cap in caps] == [1, 0, 0]


def test_a_task_that_ended_leaves_its_room(rig: Rig) -> None:
    narrow = rig.with_settings(queue_tasks=1)
    submit(narrow)
    narrow.drain()
    assert submit(narrow).outcome is Submission.ACCEPTED


def test_too_many_waiting_bytes_refuse_and_store_nothing(rig: Rig) -> None:
    size = sum(map(len, BATCH[1]))
    narrow = rig.with_settings(queue_bytes=2 * size)
    assert [submit(narrow).outcome for _ in range(2)] == [Submission.ACCEPTED] * 2
    before = rig.dump()
    assert submit(narrow).outcome is Submission.BYTES_FULL
    assert rig.dump() == before


def test_a_batch_above_the_cap_of_bytes_is_taken_when_nothing_waits(rig: Rig) -> None:
    """Otherwise it could never be sent."""
    assert submit(rig.with_settings(queue_bytes=1)).outcome is Submission.ACCEPTED


def test_an_upload_that_is_not_whole_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk that never arrived must not become half a batch."""
    run = scripts.run

    def lossy(client: redis.Redis, *commands: scripts.Command) -> list[Any]:
        pushes = [i for i, command in enumerate(commands) if command[0] == "RPUSH"]
        kept = [("PING",) if i in pushes[:1] else command for i, command in enumerate(commands)]
        return run(client, *kept)

    monkeypatch.setattr(scripts, "run", lossy)
    refused = submit(rig)
    assert (refused.outcome, refused.task_id) == (Submission.UPLOAD_LOST, 0)
    assert rig.dump() == {}


def test_a_batch_that_too_few_replicas_have_is_not_answered(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be there all the same, once, as when an answer is lost: sent again it is the same task."""
    monkeypatch.setattr(id_writes, "REPLICATED_MS", 1)
    with pytest.raises(StoreUnavailable, match="0 of 2 replicas have it"):
        submit(rig.with_settings(min_replicas=2), nonce="n1")
    assert (submit(rig, nonce="n1").outcome, submit(rig).task_id) == (Submission.REPEATED, 2)


def test_a_payload_does_not_expire(rig: Rig) -> None:
    """What is staged does, and submit takes that over."""
    submit(rig)
    assert rig.client.pttl(rig.keys().payload(1)) == -1


def test_an_idempotency_key_stands_for_one_task(rig: Rig) -> None:
    """The same request again is the same task; another request is refused."""
    first = submit(rig, idempotency=ONE_SAYS)
    again, other = submit(rig, idempotency=ONE_SAYS), submit(rig, idempotency=ONE_SAYS_OTHERWISE)
    assert (again.outcome, again.task_id) == (Submission.REPEATED, first.task_id)
    assert (other.outcome, other.task_id) == (Submission.CONFLICT, 0)
    assert rig.client.xlen(rig.keys().stream) == 1


def test_an_idempotency_key_is_kept_for_a_day(rig: Rig) -> None:
    submit(rig, idempotency=ONE_SAYS)
    ttl_ms = rig.client.pttl(rig.keys().idempotency(ONE_SAYS.scope_digest))
    assert IDEMPOTENCY_TTL_MS - 10_000 < ttl_ms <= IDEMPOTENCY_TTL_MS


def test_an_idempotency_key_counts_before_the_caps(rig: Rig) -> None:
    """Whoever asks again is told of the task, also when nothing more is taken."""
    narrow = rig.with_settings(queue_tasks=1)
    submit(narrow, idempotency=ONE_SAYS)
    assert submit(narrow, idempotency=ONE_SAYS).outcome is Submission.REPEATED


def test_a_refused_request_leaves_its_idempotency_key_free(rig: Rig) -> None:
    narrow = rig.with_settings(queue_tasks=1)
    submit(narrow)
    assert submit(narrow, idempotency=ONE_SAYS).outcome is Submission.TASKS_FULL
    assert submit(rig, idempotency=ONE_SAYS).outcome is Submission.ACCEPTED


def test_one_rings_if_nobody_drains_and_nobody_rang_lately(rig: Rig) -> None:
    """A thousand batches cost one wake-up, not a thousand."""
    assert [submit(rig).ring for _ in range(3)] == [True, False, False]
    assert 0 < rig.client.pttl(rig.keys().rung) <= RUNG_TTL_MS
    rig.client.delete(rig.keys().rung)
    grant = rig.acquire()
    assert not submit(rig).ring
    grant.lease.yield_()
    rig.client.delete(rig.keys().rung)
    assert submit(rig).ring


def test_catalogs_know_nothing_of_each_other(rig: Rig) -> None:
    """Each has ids, caps, nonces and Idempotency-Keys of its own."""
    narrow = rig.with_settings(queue_tasks=1)
    for catalog_key in ("one", "two"):
        submitted = submit(narrow, catalog_key=catalog_key, nonce="n", idempotency=ONE_SAYS)
        assert (submitted.outcome, submitted.task_id) == (Submission.ACCEPTED, 1)
