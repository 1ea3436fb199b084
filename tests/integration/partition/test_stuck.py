"""A partition that is stuck waits for an operator, says so, and does what the operator decides."""

from __future__ import annotations

import pytest
import structlog
from click.testing import CliRunner, Result
from structlog.testing import CapturingLogger

from api.cli.main import sluice
from shared.admin.stuck import Decision, settle_stuck
from shared.errors import NotStuck
from shared.keys import RESERVED, CatalogKeys
from shared.partition.tail import NONCE_TTL_MS
from shared.store import scripts
from tests.support.batches import items, variations
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer
from workers.drain.drainer import Drained


def get_stuck(rig: Rig) -> None:
    """Apply the first of three chunks, lose owners behind it, and have another task wait."""
    rig.put(*items("a", "b", "c"), chunk_entries=1)
    rig.put(*items("d"))
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant)[:1])
    rig.expire_lease()
    for _ in range(rig.settings.max_stalls - 1):
        rig.acquire()
        rig.expire_lease()
    assert rig.drain() is Drained.STUCK


def settle(rig: Rig, decision: Decision) -> int:
    return settle_stuck(rig.client, rig.settings, ACME, decision, who="ann@desk", now_ms=rig.clock())


def test_retry_gives_as_many_attempts_as_at_first(rig: Rig) -> None:
    """And the record says who wanted it."""
    get_stuck(rig)
    assert settle(rig, Decision.RETRY) == 1
    assert not rig.state().stuck
    for stalls in range(rig.settings.max_stalls):
        assert rig.acquire().stalls == stalls
        rig.expire_lease()
    assert rig.drain() is Drained.STUCK
    settle(rig, Decision.RETRY)
    assert rig.drain() is Drained.EMPTY
    assert rig.statuses() == {1: "DONE", 2: "DONE"}
    assert rig.task(1).retried_by == "ann@desk"
    rig.check_laws()


def test_skip_ends_the_task_and_the_next_goes_on(rig: Rig) -> None:
    """As FAILED, but what it says is the truth: some of it was applied."""
    get_stuck(rig)
    assert settle(rig, Decision.SKIP) == 1
    assert rig.drain() is Drained.EMPTY
    assert rig.statuses() == {1: "FAILED", 2: "DONE"}
    assert list(rig.bodies()) == ["a", "d"]
    task = rig.task(1)
    assert task.skipped_by == "ann@desk"
    assert task.error == (
        "IngestionError: given up by ann@desk after it had stalled again and again; what was applied stays: "
        "1 of 3 entries"
    )
    assert (task.entries_done, task.counts["items_updated"]) == (1, 1)


def test_skip_mentions_variations_of_items_that_stay(rig: Rig) -> None:
    """A page of a cascade was committed, the items themselves were not."""
    rig.put(*items("a"))
    rig.put(*variations("a", *map(str, range(1500))), kind="variations")  # type: ignore[arg-type]
    rig.drain()
    rig.delete({"id": "a"}, force=True)
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant)[:1])
    rig.expire_lease()
    for _ in range(rig.settings.max_stalls - 1):
        rig.acquire()
        rig.expire_lease()
    assert rig.drain() is Drained.STUCK
    settle(rig, Decision.SKIP)
    error = rig.task(3).error
    assert error is not None
    assert error.endswith("0 of 1 entries, and of those that come next some variations are deleted")


@pytest.mark.parametrize("decision", Decision)
def test_nothing_is_decided_about_what_is_not_stuck(rig: Rig, decision: Decision) -> None:
    """Nobody owns it, somebody owns it, nothing waits in it."""
    rig.put(*items("a"))
    before = rig.dump()
    with pytest.raises(NotStuck):
        settle(rig, decision)
    assert rig.dump() == before
    rig.acquire()
    with pytest.raises(NotStuck):
        settle(rig, decision)
    rig.expire_lease()
    rig.drain()
    with pytest.raises(NotStuck):
        settle(rig, decision)


def test_a_decision_whose_answer_was_lost_is_not_taken_twice(rig: Rig) -> None:
    """The client sends it again by itself; by then the next task might be stuck."""
    get_stuck(rig)
    command = scripts.SETTLE_STUCK.command(
        CatalogKeys(ACME).partition,
        reserved=RESERVED,
        nonce="nonce",
        decision="SKIP",
        who="ann@desk",
        now_ms=rig.clock(),
        nonce_ttl_ms=NONCE_TTL_MS,
        kept_cap_bytes=10**9,
        message="given up: ",
    )
    first = scripts.run(rig.client, command)
    rig.client.hset(rig.keys().position, "stuck", 1)
    assert scripts.run(rig.client, command) == first == [[b"SETTLED", 1]]
    rig.drain()
    assert rig.statuses() == {1: "FAILED", 2: "DONE"}


def test_an_operator_is_alarmed_once(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """By each process: the sweep looks every second."""
    get_stuck(rig)
    drainer, log = rig.drainer(), CapturingLogger()
    monkeypatch.setattr("workers.drain.drainer.log", log)
    for _ in range(3):
        drainer.drain(ACME)
    assert [call.kwargs["catalog_key"] for call in log.calls if call.method_name == "error"] == [ACME]
    settle(rig, Decision.SKIP)
    assert drainer.drain(ACME) is Drained.EMPTY


# -- the command line -------------------------------------------------------------------------------------------------


def run_sluice(server: StoreServer, *args: str) -> Result:
    try:
        return CliRunner().invoke(sluice, args, env={"SLUICE_REDIS_URL": server.url})
    finally:
        # It logs to a standard error that is closed by now.
        structlog.reset_defaults()


def test_the_command_line_shows_and_retries(rig: Rig, store_server: StoreServer) -> None:
    get_stuck(rig)
    line = next(line for line in run_sluice(store_server, "partitions").output.splitlines() if line.startswith(ACME))
    assert line.split() == [ACME, "2", line.split()[2], "1", line.split()[4], "5", "stuck"]
    retried = run_sluice(store_server, "partitions", "retry", ACME)
    assert (retried.exit_code, retried.output) == (0, "task 1 is retried\n")
    assert rig.drain() is Drained.EMPTY
    assert isinstance(run_sluice(store_server, "partitions", "retry", ACME).exception, NotStuck)


def test_the_command_line_skips_when_that_is_confirmed(rig: Rig, store_server: StoreServer) -> None:
    get_stuck(rig)
    assert run_sluice(store_server, "partitions", "skip", ACME).exit_code != 0
    assert rig.state().stuck
    assert run_sluice(store_server, "partitions", "skip", ACME, "--yes").exit_code == 0
    assert rig.drain() is Drained.EMPTY
    assert "@" in (rig.task(1).skipped_by or "")
