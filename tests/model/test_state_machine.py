"""Random histories of senders, owners and accidents, after which the laws hold."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.errors import TaskConflict
from shared.model import Batch, Kind, OnMissing, Operation, Status
from shared.nonces import new_nonce
from shared.partition.grants import AcquireRefusal, Grant
from shared.partition.step_results import DONE_ANSWERS, StepResult, StepsTaken
from shared.partition.steps import Step, last_commit
from shared.partition.submissions import Submission
from shared.tasks.records import TaskFilter, Tasks
from tests.support.batches import items, make_batch, variations
from tests.support.interposed import Killed, interposed, killed
from tests.support.key_checker import check_keys
from tests.support.laws import TERMINAL, StatusWatch
from tests.support.rig import TEST_SETTINGS, Rig
from workers.apply import columns, patches
from workers.drain.planner import HeadChanged, LeaseLost

#: Few of everything, so that all meet all.
CATALOGS = st.sampled_from(["one", "two"])
SECTIONS = st.sampled_from(["Products", "Content"])
IDS = st.sampled_from("abcdef")

#: What anybody may send of any kind, and what is sent of item groups only, in one chunk.
OPERATIONS = [Operation.PUT, Operation.PATCH, Operation.DELETE]
GROUP_OPERATIONS = [Operation.ADD, Operation.UPSERT, Operation.REPLACE]

_VALUES = st.sampled_from(["1", "1.0", "19.90", '"x"', "true", "[]", "{}", "null"])
_LISTS = st.lists(st.sampled_from(["1", "1.0", "true", '"x"', "null", '{"a":1}']), max_size=3).map(
    lambda found: "[" + ",".join(found) + "]"
)


@st.composite
def _data(draw: st.DrawFn, *, edits: bool) -> str:
    members = []
    for name in draw(st.lists(st.sampled_from("pq"), unique=True)):
        edit = draw(st.sampled_from(["", ":add", ":remove"])) if edits else ""
        members.append(f'"{name}{edit}": {draw(_LISTS if edit else _LISTS | _VALUES)}')
    return "{" + ", ".join(members) + "}"


@st.composite
def _entries(draw: st.DrawFn, kind: Kind, *, whole: bool, edits: bool) -> bytes:
    members = [f'"id": {json.dumps(draw(IDS))}']
    if kind is Kind.VARIATIONS and (whole or draw(st.booleans())):
        members.append(f'"item_id": {json.dumps(draw(IDS))}')
    if whole or draw(st.booleans()):
        members.append(f'"name": "{draw(st.sampled_from("xyz"))}"')
    if draw(st.booleans()):
        members.append('"suggested_score": ' + draw(st.sampled_from(["1", "1337.0", "null"])))
    if draw(st.booleans()):
        members.append('"data": ' + draw(_data(edits=edits)))
    return ("{" + ", ".join(members) + "}").encode()


@st.composite
def _batches(draw: st.DrawFn) -> dict[str, Any]:
    """What `Rig.send` takes."""
    kind = draw(st.sampled_from(Kind))
    operation = draw(st.sampled_from(OPERATIONS + (GROUP_OPERATIONS if kind is Kind.ITEM_GROUPS else [])))
    on_missing, one_entry = OnMissing.FAIL, IDS.map(lambda entry_id: b'{"id": "%s"}' % entry_id.encode())
    if operation is Operation.PATCH:
        on_missing = draw(st.sampled_from(OnMissing))
    elif operation is Operation.UPSERT:
        on_missing = draw(st.sampled_from([OnMissing.FAIL, OnMissing.CREATE]))
    if operation is not Operation.DELETE:
        whole = operation is not Operation.PATCH or on_missing is OnMissing.CREATE
        one_entry = _entries(kind, whole=whole, edits=not whole)
    return {
        "operation": operation,
        "entries": draw(st.lists(one_entry, min_size=1, max_size=6)),
        "kind": kind,
        "section": draw(SECTIONS),
        "on_missing": on_missing,
        "force": draw(st.booleans()),
        "chunk_entries": 1000 if operation in GROUP_OPERATIONS else draw(st.sampled_from([1, 2, 1000])),
    }


@dataclass
class Paused:
    """An owner that has planned its steps and sleeps."""

    catalog_key: str
    grant: Grant
    steps: list[Step]


class Histories(RuleBasedStateMachine):
    """Senders and owners of two catalogs, and what may come between them."""

    client: ClassVar[redis.Redis]

    def __init__(self) -> None:
        super().__init__()
        self.client.flushdb()
        # Nobody is given up here, and half of four items are worth guarding.
        self.rig = Rig(self.client, settings=replace(TEST_SETTINGS, max_stalls=10**6, safeguard_floor=4))
        self.watch = StatusWatch()
        self.paused: list[Paused] = []
        self.last_sent: tuple[tuple[Batch, list[bytes]], str, str, int] | None = None

    # -- senders ---------------------------------------------------------------------------------------------------

    @initialize()
    def begin_with_something(self) -> None:
        """So that there is something to change and to delete."""
        for catalog_key in ("one", "two"):
            self.rig.put(*items(*"abcd"), catalog_key=catalog_key)
            self.rig.put(*variations("a", *"abc"), kind=Kind.VARIATIONS, catalog_key=catalog_key)

    @rule(batches=st.lists(_batches(), min_size=1, max_size=6), catalog_key=CATALOGS)
    def send(self, batches: list[dict[str, Any]], catalog_key: str) -> None:
        for batch in batches:
            nonce = new_nonce()
            task_id = self.rig.send(**batch, catalog_key=catalog_key, nonce=nonce)
            self.last_sent = (make_batch(**batch), catalog_key, nonce, task_id)
            self.rig.clock.advance(1)

    @precondition(lambda self: self.last_sent)
    @rule()
    def send_again(self) -> None:
        """The answer was lost."""
        assert self.last_sent
        made, catalog_key, nonce, task_id = self.last_sent
        repeated = self.rig.submit_batch(made, catalog_key=catalog_key, nonce=nonce)
        assert (repeated.outcome, repeated.task_id) == (Submission.REPEATED, task_id)

    @rule(catalog_key=CATALOGS, which=st.integers(0, 30), rerun=st.booleans())
    def change(self, catalog_key: str, which: int, rerun: bool) -> None:
        """Cancel a task or run it again: what its status does not allow is refused."""
        accepted = self.rig.accepted.get(catalog_key)
        if not accepted:
            return
        task_id = accepted[-1 - which % len(accepted)].task_id
        status = self.rig.task(task_id, catalog_key).status
        allowed = status in TERMINAL if rerun else status is Status.QUEUED
        with contextlib.nullcontext() if allowed else contextlib.suppress(TaskConflict):
            (self.rig.rerun if rerun else self.rig.cancel)(task_id, catalog_key=catalog_key)
            assert allowed, f"{'re-run' if rerun else 'cancel'} of a task that is {status}"

    # -- owners ----------------------------------------------------------------------------------------------------

    @rule(catalog_key=CATALOGS, slice_s=st.sampled_from([0.0, 60.0]))
    def drain(self, catalog_key: str, slice_s: float) -> None:
        self.rig.with_settings(slice_s=slice_s).drainer().drain(catalog_key)

    @rule(catalog_key=CATALOGS)
    def fall_asleep(self, catalog_key: str) -> None:
        """Somebody becomes the owner, plans its steps, and hears nothing for a while."""
        owned = self.client.exists(self.rig.keys(catalog_key).lease)
        grant = self.rig.claim(catalog_key, holder="sleeper", nonce=new_nonce()).acquire()
        assert not owned or grant in (AcquireRefusal.OWNED, AcquireRefusal.EMPTY)
        if isinstance(grant, AcquireRefusal):
            return
        self._plan(catalog_key, grant)

    @precondition(lambda self: self.paused)
    @rule(which=st.integers(0, 10), wants_more=st.booleans(), cut_after=st.none() | st.integers(0, 3))
    def wake_up(self, which: int, wants_more: bool, cut_after: int | None) -> None:
        """It goes on as if no time had passed; maybe it has to send again, since the connection broke on the way."""
        owner = self.paused.pop(which % len(self.paused))
        if cut_after is not None:
            self._take(owner, owner.steps[:cut_after], wants_more=False)
        progress = self._take(owner, owner.steps, wants_more=wants_more)
        if progress.answer in DONE_ANSWERS and not progress.released:
            before = self.rig.dump()
            assert self._take(owner, owner.steps, wants_more=False).answer is StepResult.ALREADY_DONE
            assert self.rig.dump() == before
        if progress.window:
            grant = replace(owner.grant, applied=last_commit(owner.steps, owner.grant.applied), window=progress.window)
            self._plan(owner.catalog_key, grant)

    @precondition(lambda self: self.paused)
    @rule(which=st.integers(0, 10), how=st.sampled_from(["begin", "extend", "yield_", "release"]))
    def do_something_else(self, which: int, how: str) -> None:
        """It begins its head, holds on or lets go: of what is somebody else's by now, it can not."""
        owner = self.paused[which % len(self.paused)]
        lease, before = owner.grant.lease, self.rig.dump()
        was_owner = self._is_owner(owner)
        if how == "begin":
            answer = lease.begin(owner.steps[0].work.task_id, now_ms=self.rig.clock())
            assert (answer is StepResult.FENCED) != was_owner
        elif how == "release":
            is_empty = not self.client.xlen(self.rig.keys(owner.catalog_key).stream)
            assert lease.release() == (was_owner and is_empty)
        else:
            assert getattr(lease, how)() == was_owner
        assert was_owner or self.rig.dump() == before

    def _take(self, owner: Paused, steps: list[Step], *, wants_more: bool) -> StepsTaken:
        """Take steps; who is no longer the owner is fenced, and changes nothing at all."""
        if not steps:
            return StepsTaken(StepResult.OK)
        before, was_owner = self.rig.dump(), self._is_owner(owner)
        progress = self.rig.take(owner.grant, steps, wants_more=wants_more)
        assert (progress.answer is StepResult.FENCED) != was_owner
        assert was_owner or self.rig.dump() == before
        return progress

    def _is_owner(self, owner: Paused) -> bool:
        lease = self.rig.keys(owner.catalog_key).lease
        return bool(self.client.hget(lease, "token") == owner.grant.lease.token.encode())

    @rule(catalog_key=CATALOGS, moment=st.sampled_from(["before_begin", "before_take", "after_take", "before_frame"]))
    def kill(self, catalog_key: str, moment: str) -> None:
        """An owner dies, before or after what it did was done; its lease stays."""
        open_claim = interposed(self.rig, **{moment: killed})
        with contextlib.suppress(Killed):
            self.rig.with_settings(slice_s=0.0).drainer(open_claim=open_claim).drain(catalog_key)

    @rule(catalog_key=CATALOGS)
    def expire(self, catalog_key: str) -> None:
        self.rig.expire_lease(catalog_key)

    @rule()
    def sweep(self) -> None:
        """So late that every wake-up has been lost."""
        for catalog_key in self.rig.accepted:
            self.client.delete(self.rig.keys(catalog_key).rung)
        self.rig.sweep().once()

    def _plan(self, catalog_key: str, grant: Grant) -> None:
        with contextlib.suppress(LeaseLost, HeadChanged):
            self.paused.append(Paused(catalog_key, grant, self.rig.plan(grant, catalog_key)))

    # -- what holds ------------------------------------------------------------------------------------------------

    @invariant()
    def statuses_go_forward(self) -> None:
        for catalog_key in self.rig.accepted:
            page = Tasks(self.client, catalog_key).page(TaskFilter(), offset=0, size=1000)
            assert page.by_status[Status.IN_PROGRESS] <= 1
            for task in page.tasks:
                self.watch.see((catalog_key, task.id), task.status)

    @invariant()
    def nothing_waits_unknown(self) -> None:
        """The backlog is a superset at any moment."""
        known = set(self.rig.backlog.waiting(skip=0))
        for catalog_key in self.rig.accepted:
            assert catalog_key in known or not self.client.xlen(self.rig.keys(catalog_key).stream)

    def teardown(self) -> None:
        for catalog_key in self.rig.accepted:
            self.rig.expire_lease(catalog_key)
            self.rig.drain(catalog_key)
            self.rig.check_laws(catalog_key)
        check_keys(self.client)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("beside", [False, True], ids=["PATCHes written into entries", "PATCHes kept beside them"])
def test_the_laws_hold_after_any_history(client: redis.Redis, beside: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is sent, canceled and run again, and whoever sleeps, dies or loses its lease meanwhile."""
    Histories.client = client
    if beside:
        # As if there were many of them, each much shorter than its entry.
        for module in (columns, patches):
            monkeypatch.setattr(module, "FEWEST", 1)
        monkeypatch.setattr(patches, "TIMES_LONGER", 0)
    run_state_machine_as_test(
        Histories,
        settings=settings(max_examples=60, stateful_step_count=40, suppress_health_check=list(HealthCheck)),
    )
