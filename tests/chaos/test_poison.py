"""Batches that break their workers: given up after a few attempts, and nobody else suffers for them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.waiting import wait_until
from tests.acceptance.customer import Customer
from tests.support.batches import items
from tests.support.fleet import ROOT, Fleet, running_fleet

pytestmark = pytest.mark.timeout(240)

#: See tests/support/poisoned_worker.py.
POISONS = ("raise", "kill", "hang", "hold")

MAX_STALLS = 3
TOKEN = "poison-token"
CATALOGS = [*POISONS, "stuck", "innocent"]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    credentials = ",".join(f"{catalog}:{TOKEN}" for catalog in CATALOGS)
    with running_fleet(
        tmp_path, worker_app="tests.support.poisoned_worker:celery", credentials=credentials, lease_ttl_s=0.6,
        sweep_s=0.1, max_stalls=MAX_STALLS,
    ) as fleet:  # fmt: skip
        yield fleet


def customer(fleet: Fleet, catalog_key: str) -> Customer:
    return Customer(fleet.urls[0], catalog_key, TOKEN)


def state(fleet: Fleet, catalog_key: str) -> dict[str, Any]:
    of = f"sluice:{{{catalog_key}}}:position"
    return {name.decode(): value.decode() for name, value in fleet.connect().hgetall(of).items()}


def sluice(fleet: Fleet, *args: str) -> str:
    environ = {**os.environ, "SLUICE_REDIS_URL": fleet.store_url}
    command = [sys.executable, "-c", "from api.cli.main import main; main()", *args]
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_poisoned_batches_are_given_up_and_all_others_applied(fleet: Fleet) -> None:
    """One raises, one kills its process, one never ends, one never even lets another thread run: at once."""
    poisoned = {name: customer(fleet, name) for name in POISONS}
    for name, one in poisoned.items():
        one.put(*items("before"))
        one.put(*items(f"{name}-it"))
        one.accepted[-1].excused = True
        one.put(*items("behind"))
    innocent = customer(fleet, "innocent")
    for number in range(10):
        innocent.put(*items(f"i{number}"))
    for name, one in poisoned.items():
        one.wait_all_ended(timeout_s=120, every_s=0.2)
        task = one.task(2)
        assert task["status"] == "FAILED", (name, task)
        said = f"IngestionError: given up after {MAX_STALLS} attempts, none of which finished"
        assert task["error"]["message"] == said
    innocent.wait_all_ended(timeout_s=30)
    for one in (*poisoned.values(), innocent):
        one.check_laws()


def test_what_a_worker_was_stuck_in_is_in_its_log(fleet: Fleet) -> None:
    """A traceback of the process that was ended, with the function that never returned."""
    one = customer(fleet, "hang")
    one.put(*items("hang-it"))
    one.wait_all_ended(timeout_s=60, every_s=0.2)
    said = fleet.workers[0].said()
    assert "in _hang" in said
    assert said.count('"previous owner was lost at this task"') >= MAX_STALLS - 1


def test_a_poison_behind_a_commit_waits_for_an_operator(fleet: Fleet) -> None:
    """Who retries with a worker that is mended, and nothing was done twice; the task's first half stays."""
    one = customer(fleet, "stuck")
    one.put(*items(*(f"i{number:04}" for number in range(1000)), "kill-it"))
    one.put(*items("behind"))
    wait_until(lambda: "stuck" in state(fleet, "stuck"), "the partition is stuck", timeout_s=60)
    assert "stuck" in sluice(fleet, "partitions").splitlines()[1].split()
    waiting = one.task(2)
    assert (one.task(1)["status"], waiting["status"]) == ("IN_PROGRESS", "QUEUED")
    assert waiting["waiting_for"] == "an operator: the partition is stuck"
    fleet.replace_workers("workers.app:celery")
    sluice(fleet, "partitions", "retry", "stuck")
    one.wait_all_ended(timeout_s=30)
    one.check_laws()
    assert "@" in one.task(1)["retried_by"]


def test_an_operator_may_give_up_the_rest_of_a_batch(fleet: Fleet) -> None:
    one = customer(fleet, "stuck")
    one.put(*items(*(f"i{number:04}" for number in range(1000)), "raise-it"))
    one.put(*items("behind"))
    wait_until(lambda: "stuck" in state(fleet, "stuck"), "the partition is stuck", timeout_s=60)
    sluice(fleet, "partitions", "skip", "stuck", "--yes")
    one.wait_all_ended(timeout_s=30)
    given_up = one.task(1)
    assert given_up["status"] == "FAILED"
    assert given_up["error"]["message"].endswith("what was applied stays: 1000 of 1001 entries")
    assert given_up["progress"] == {"entries_total": 1001, "entries_applied": 1000}
    assert len(one.entries()) == 1001
