"""A step of begin, commit_chunk or fail_task takes effect once, where it belongs, or not at all."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

from shared.errors import TaskConflict
from shared.model import Kind, Operation, Status
from shared.partition import step_calls
from shared.partition.grants import Grant
from shared.partition.step_results import StepResult
from shared.partition.steps import Commit, Failure, Step
from shared.store.wire import exchange
from tests.support.batches import items, named, variations
from tests.support.rig import Rig


@pytest.fixture(autouse=True, params=["in one call", "as a transaction"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long commits are transactions; here all that write entries are, or none."""
    few = 1 if request.param == "as a transaction" else sys.maxsize
    monkeypatch.setattr(step_calls, "MANY_VALUES", few)
    monkeypatch.setattr(step_calls, "LONG_BYTES", few)


#: What is done between planning and taking, and what the owner is then told.
Meanwhile = Callable[[Rig, Grant], Any]


def new_owner(rig: Rig, grant: Grant) -> None:
    rig.expire_lease()
    rig.acquire(holder="two")


def no_owner(rig: Rig, grant: Grant) -> None:
    rig.expire_lease()


def canceled(rig: Rig, grant: Grant) -> None:
    rig.cancel(1)


def canceled_and_more(rig: Rig, grant: Grant) -> None:
    rig.cancel(1)
    rig.put(*items("z"))


def another_generation(rig: Rig, grant: Grant) -> None:
    rig.client.hset(rig.keys().sections, "Products", 7)


REFUSALS = [
    pytest.param(new_owner, StepResult.FENCED, id="taken over"),
    pytest.param(no_owner, StepResult.FENCED, id="run out"),
    pytest.param(canceled, StepResult.CANCELED, id="canceled"),
    pytest.param(canceled_and_more, StepResult.CANCELED, id="canceled, others wait"),
]


def started(rig: Rig, *entries: Any, **how: Any) -> tuple[Grant, list[Step]]:
    """Submit a PUT, become the owner and plan it."""
    rig.put(*(entries or items("a")), **how)
    grant = rig.acquire(nonce="n")
    return grant, rig.plan(grant)


def refused(rig: Rig, grant: Grant, steps: list[Step], **how: Any) -> StepResult:
    """Take steps that must change nothing at all."""
    before = rig.dump()
    progress = rig.take(grant, steps, **how)
    assert rig.dump() == before
    assert (progress.window, progress.released) == (None, False)
    return progress.answer


# -- begin ------------------------------------------------------------------------------------------------------------


def begin(rig: Rig, grant: Grant, task_id: int = 1) -> StepResult:
    return grant.lease.begin(task_id, now_ms=rig.clock())


def test_what_has_begun_is_in_progress_and_can_no_longer_be_canceled(rig: Rig) -> None:
    grant, _ = started(rig)
    rig.clock.advance(1000)
    assert begin(rig, grant) is StepResult.OK
    assert (rig.task(1).status, rig.task(1).started_ms) == (Status.IN_PROGRESS, rig.clock())
    with pytest.raises(TaskConflict):
        rig.cancel(1)


def test_to_begin_again_changes_nothing(rig: Rig) -> None:
    """Its time of start stays the first."""
    grant, _ = started(rig)
    begin(rig, grant)
    before = rig.dump()
    rig.clock.advance(1000)
    assert begin(rig, grant) is StepResult.OK
    assert rig.dump() == before


@pytest.mark.parametrize(("meanwhile", "answer"), REFUSALS)
def test_a_late_begin_changes_nothing(rig: Rig, meanwhile: Meanwhile, answer: StepResult) -> None:
    """An unfenced one turned DONE back into IN_PROGRESS in our model."""
    grant, _ = started(rig)
    meanwhile(rig, grant)
    before = rig.dump()
    assert begin(rig, grant) is answer
    assert rig.dump() == before


def test_only_the_head_can_begin(rig: Rig) -> None:
    rig.put(*items("b"))
    grant, _ = started(rig)
    before = rig.dump()
    assert begin(rig, grant, 2) is StepResult.NOT_HEAD
    assert begin(rig, grant, 99) is StepResult.NOT_HEAD
    assert rig.dump() == before


# -- commit -----------------------------------------------------------------------------------------------------------


def test_the_last_commit_ends_the_task(rig: Rig) -> None:
    """Effects, counts, report, status, stream and indexes change in one step."""
    rig.put(*items("b"))
    rig.drain()
    grant, steps = started(rig, *items("a", "b"))
    rig.clock.advance(1000)
    assert rig.take(grant, steps).answer is StepResult.OK
    task, keys = rig.task(2), rig.keys()
    assert (task.status, task.started_ms, task.updated_ms) == (Status.DONE, rig.clock(), rig.clock())
    assert (task.entries_done, task.counts["items_updated"], task.counts["items_unchanged"]) == (2, 2, 1)
    assert rig.report(2) == "cn"
    assert list(rig.bodies()) == ["a", "b"]
    assert rig.client.xlen(keys.stream) == 0
    assert rig.state().tasks == 0


def test_a_commit_before_the_last_is_progress(rig: Rig) -> None:
    """The task goes on, keeps its place at the head, and readers see the chunk."""
    grant, steps = started(rig, *items("a", "b", "c"), chunk_entries=2)
    rig.take(grant, steps[:1])
    assert (rig.task(1).status, rig.task(1).entries_done) == (Status.IN_PROGRESS, 2)
    assert list(rig.bodies()) == ["a", "b"]
    assert [(work.chunk, len(work.frames)) for work in rig.acquire(nonce="n").window] == [(1, 1)]


@pytest.mark.parametrize("wants_more", [False, True])
@pytest.mark.parametrize(
    ("meanwhile", "answer"), [*REFUSALS, pytest.param(another_generation, StepResult.STALE, id="stale")]
)
def test_a_late_commit_changes_nothing(rig: Rig, meanwhile: Meanwhile, answer: StepResult, wants_more: bool) -> None:
    grant, steps = started(rig)
    meanwhile(rig, grant)
    assert refused(rig, grant, steps, wants_more=wants_more) is answer


def test_a_commit_out_of_turn_changes_nothing(rig: Rig) -> None:
    """Only the head's next chunk, on top of the last commit, is taken."""
    rig.put(*items("a", "b"), chunk_entries=1)
    rig.put(*items("c"))
    grant = rig.acquire()
    first, second, other = rig.plan(grant)
    assert refused(rig, grant, [other]) is StepResult.NOT_HEAD
    assert refused(rig, grant, [second]) is StepResult.WRONG_CHUNK
    assert refused(rig, grant, [first], base="9:9:9") is StepResult.STALE
    rig.take(grant, [first])
    assert refused(rig, grant, [replace(first, page=1)], base="1:0:0") is StepResult.WRONG_CHUNK
    assert refused(rig, grant, [second], base="") is StepResult.STALE


def test_a_commit_after_the_end_changes_nothing(rig: Rig) -> None:
    """Also one of another page: DONE stays DONE."""
    rig.put(*items("b"))
    grant, steps = started(rig)
    rig.take(grant, steps)
    [commit] = [step for step in steps if step.work.task_id == 1]
    assert isinstance(commit, Commit)
    rig.put(*items("z"))
    assert refused(rig, grant, [replace(commit, page=1)], base="2:0:0") is StepResult.NOT_HEAD


def replays_to(rig: Rig, grant: Grant, steps: list[Step], wants_more: bool) -> StepResult:
    rig.take(grant, steps, wants_more=wants_more)
    before = rig.dump()
    again = rig.take(grant, steps, wants_more=wants_more)
    assert rig.dump() == before
    assert (again.window is not None) == wants_more
    return again.answer


@pytest.mark.parametrize("wants_more", [False, True])
def test_a_commit_sent_again_changes_nothing(rig: Rig, wants_more: bool) -> None:
    """Its answer was lost; the repeat says so, and brings what comes next."""
    rig.put(*items("a"))
    rig.delete({"id": "a"})
    grant = rig.acquire()
    assert replays_to(rig, grant, rig.plan(grant), wants_more) is StepResult.ALREADY_DONE


@pytest.mark.parametrize("wants_more", [False, True])
def test_a_round_sent_again_changes_nothing(rig: Rig, wants_more: bool) -> None:
    """Many tasks and chunks in one round trip, all of them done."""
    rig.put(*items("a", "b", "c"), chunk_entries=1)
    for name in ("d", "a"):
        rig.put(*items(name))
    rig.delete({"id": "a"})
    grant = rig.acquire()
    steps = rig.plan(grant)
    assert len(steps) == 5
    assert replays_to(rig, grant, steps, wants_more) is StepResult.ALREADY_DONE


def test_a_round_cut_short_goes_on_where_it_was(rig: Rig) -> None:
    """The connection broke in the middle: the repeat does the rest, and no step twice."""
    for name in ("a", "b", "a", "c"):
        rig.put(*items(name))
    grant = rig.acquire()
    steps = rig.plan(grant)
    rig.take(grant, steps[:2])
    assert rig.take(grant, steps).answer is StepResult.OK
    rig.check_laws()


def test_a_round_stops_at_its_first_refusal(rig: Rig) -> None:
    """What comes behind it hangs on it."""
    for name in ("a", "b", "c"):
        rig.put(*items(name))
    grant = rig.acquire()
    steps = rig.plan(grant)
    rig.cancel(2)
    assert rig.take(grant, steps, wants_more=True).answer is StepResult.CANCELED
    assert rig.statuses() == {1: "DONE", 2: "CANCELED", 3: "QUEUED"}
    rig.expire_lease()
    rig.drain()
    rig.check_laws()


def test_the_answer_brings_the_next_window(rig: Rig) -> None:
    rig.put(*items("a"))
    rig.delete({"id": "a"})
    grant = rig.acquire()
    progress = rig.take(grant, rig.plan(grant), wants_more=True)
    assert progress.window is not None
    assert [work.task_id for work in progress.window] == [2]


def test_where_nothing_waits_the_partition_is_given_back_at_once(rig: Rig) -> None:
    """One round trip less, and no moment in which a batch could be overlooked."""
    grant, steps = started(rig)
    progress = rig.take(grant, steps, wants_more=True)
    assert (progress.answer, progress.released, progress.window) == (StepResult.OK, True, None)
    assert not rig.client.exists(rig.keys().lease)


def test_each_step_extends_the_lease(rig: Rig) -> None:
    grant, steps = started(rig, *items("a", "b"), chunk_entries=1)
    for act in (
        lambda: begin(rig, grant),
        lambda: rig.take(grant, steps[:1]),
        lambda: grant.lease.extend(),
    ):
        rig.client.pexpire(rig.keys().lease, 4000)
        act()
        assert rig.client.pttl(rig.keys().lease) > 5000


def test_full_commits_do_not_meet_the_limits_of_lua(rig: Rig) -> None:
    """`unpack` fails near 8000 values: a chunk, and a page of variations that go with their items, are full at 1000."""
    ids = [f"v{number:03}" for number in range(1000)]
    grant, [step] = started(rig, *variations("i", *ids), kind=Kind.VARIATIONS)
    assert rig.take(grant, [step], wants_more=True).released
    assert list(rig.bodies(Kind.VARIATIONS)) == ids
    rig.put(*items(*ids[1:], "i"))
    rig.delete(*named(*ids[1:], "i"), force=True)
    rig.drain()
    assert (rig.bodies(), rig.bodies(Kind.VARIATIONS)) == ({}, {})
    assert rig.task(3).counts == {
        **dict.fromkeys(rig.task(1).counts, 0),
        "items_deleted": 1000,
        "variations_deleted": 1000,
    }
    rig.check_laws()


def test_a_server_that_does_not_know_the_script_any_more_writes_nothing_without_it(rig: Rig) -> None:
    """It was restarted: entries must not come without their commit, nor be gone for a moment."""
    rig.put(*items("a"))
    rig.drain()
    grant, steps = started(rig, {**items("a")[0], "name": "Another"}, *items("b"))
    calls = grant.lease._calls(grant.applied, steps, now_ms=rig.clock(), wants_more=False)
    commands = list(chain.from_iterable(calls))
    before = rig.bodies()
    rig.client.script_flush()
    exchange(rig.client, commands)
    assert rig.bodies() == before
    assert rig.take(grant, steps).answer is StepResult.OK
    assert list(rig.bodies()) == ["a", "b"]
    assert not rig.client.exists(rig.keys().aside)
    rig.check_laws()


def test_a_full_store_takes_what_was_accepted(rig: Rig) -> None:
    grant, steps = started(rig, *items("a", "b"))
    rig.client.config_set("maxmemory", 1)
    try:
        assert rig.take(grant, steps).answer is StepResult.OK
    finally:
        rig.client.config_set("maxmemory", 0)
    assert list(rig.bodies()) == ["a", "b"]
    rig.check_laws()


# -- fail -------------------------------------------------------------------------------------------------------------


def failing(rig: Rig) -> tuple[Grant, list[Step]]:
    rig.patch({"id": "missing"})
    grant = rig.acquire(nonce="n")
    steps = rig.plan(grant)
    assert isinstance(steps[-1], Failure)
    return grant, steps


def test_a_failed_task_says_why_and_leaves_the_head(rig: Rig) -> None:
    grant, steps = failing(rig)
    assert rig.take(grant, steps).answer is StepResult.OK
    task = rig.task(1)
    assert (task.status, task.error) == (Status.FAILED, "IngestionError: items not found: 'missing'")
    assert task.started_ms is not None
    assert rig.client.xlen(rig.keys().stream) == 0
    rig.check_laws()


@pytest.mark.parametrize("wants_more", [False, True])
def test_a_failure_sent_again_changes_nothing(rig: Rig, wants_more: bool) -> None:
    grant, steps = failing(rig)
    rig.put(*items("a"))
    assert replays_to(rig, grant, steps, wants_more) is StepResult.ALREADY_DONE


@pytest.mark.parametrize("wants_more", [False, True])
def test_a_round_that_ends_with_a_failure_can_be_sent_again(rig: Rig, wants_more: bool) -> None:
    rig.put(*items("a"))
    rig.drain()
    rig.patch({"id": "a", "name": "x"})
    rig.patch({"id": "missing"})
    rig.put(*items("b"))
    grant = rig.acquire()
    steps = rig.plan(grant)
    assert [type(step) for step in steps] == [Commit, Failure]
    assert replays_to(rig, grant, steps, wants_more) is StepResult.ALREADY_DONE


@pytest.mark.parametrize(("meanwhile", "answer"), REFUSALS)
def test_a_late_failure_changes_nothing(rig: Rig, meanwhile: Meanwhile, answer: StepResult) -> None:
    grant, steps = failing(rig)
    meanwhile(rig, grant)
    assert refused(rig, grant, steps) is answer


def test_a_failure_found_in_what_is_old_changes_nothing(rig: Rig) -> None:
    grant, steps = failing(rig)
    assert refused(rig, grant, steps, base="9:9:9") is StepResult.STALE


def test_a_task_with_effects_cannot_fail(rig: Rig) -> None:
    """Decided, then only forward."""
    grant, steps = started(rig, *items("a", "b"), chunk_entries=1)
    rig.take(grant, steps[:1])
    failure = Failure(steps[0].work, "too late")
    assert refused(rig, grant, [failure], base="1:0:0") is StepResult.APPLIED


def test_a_task_whose_first_page_is_committed_cannot_fail(rig: Rig) -> None:
    rig.put(*items("i"))
    rig.put(*variations("i", *map(str, range(1500))), kind=Kind.VARIATIONS)
    rig.drain()
    rig.delete(*named("i"))
    grant = rig.acquire()
    [page] = rig.plan(grant)
    assert isinstance(page, Commit)
    rig.take(grant, [page])
    assert refused(rig, grant, [Failure(page.work, "too late")], base=page.name) is StepResult.APPLIED


# -- variations with their items --------------------------------------------------------------------------------------


def whole(item_id: str, *variation_ids: str) -> dict[str, Any]:
    theirs = [{"id": one, "item_id": item_id, "name": "new"} for one in variation_ids]
    return {"id": item_id, "name": "new", "variations": theirs}


def test_an_item_and_its_variations_are_one_commit(rig: Rig) -> None:
    """Both or neither: before it nothing is there, after it all is."""
    rig.send(Operation.CREATE, [whole("a", "v", "w")])
    grant = rig.acquire()
    [commit] = rig.plan(grant)
    assert rig.bodies() == rig.bodies(Kind.VARIATIONS) == {}
    rig.take(grant, [commit])
    assert (list(rig.bodies()), list(rig.bodies(Kind.VARIATIONS))) == (["a"], ["v", "w"])
    rig.check_laws()


def test_more_variations_are_replaced_than_one_commit_deletes(rig: Rig) -> None:
    """Some of the many stay, and not only the first that are read."""
    many = [f"v{number:04}" for number in range(3000)]
    rig.put(*items("a"))
    rig.put(*variations("a", *many), kind=Kind.VARIATIONS)
    kept = [*many[:400], *many[2800:]]
    task_id = rig.send(Operation.MODIFY, [whole("a", *kept)])
    rig.drain()
    assert rig.task(task_id).counts["variations_deleted"] == 2400
    assert list(rig.bodies(Kind.VARIATIONS)) == kept
    rig.check_laws()
