"""Entries accepted and applied, minute by minute, over the last hour."""

from __future__ import annotations

from shared.model import Operation
from shared.tasks.rates import MINUTES, Rates, add_up, per_second, read_rates
from tests.support.batches import items, make_batch
from tests.support.rig import ACME, Rig

MINUTE_MS = 60_000
#: The start of an hour.
HOUR = 1_700_002_800_000


def rates(rig: Rig, catalog_key: str = ACME) -> Rates:
    [found] = read_rates(rig.client, [catalog_key], now_ms=rig.clock())
    return found


def at(rig: Rig, minute: int) -> None:
    """Go to a minute of the hour."""
    rig.clock.now_ms = HOUR + minute * MINUTE_MS + 500


def test_entries_count_in_the_minute_in_which_they_came_and_were_applied(rig: Rig) -> None:
    at(rig, 10)
    rig.put(*items("a", "b", "c"))
    rig.put(*items("d"))
    at(rig, 12)
    rig.drain()
    found = rates(rig)
    assert (found.accepted[-3:], found.applied[-3:]) == ([4, 0, 0], [0, 0, 4])
    assert sum(found.accepted) == sum(found.applied) == 4


def test_the_hour_may_change_meanwhile(rig: Rig) -> None:
    at(rig, 59)
    rig.put(*items("a"))
    at(rig, 60)
    rig.put(*items("a", "b"))
    assert rates(rig).accepted[-2:] == [1, 2]
    at(rig, 60 + 58)
    assert rates(rig).accepted[:2] == [1, 2]
    at(rig, 60 + 59)
    assert rates(rig).accepted[:2] == [2, 0]


def test_a_rate_is_that_of_the_last_minute_or_two(rig: Rig) -> None:
    """So that it neither waits for the minute to be over nor falls when one begins."""
    at(rig, 10)
    rig.put(*items(*(f"a{number}" for number in range(90))))
    rig.clock.now_ms = HOUR + 10 * MINUTE_MS + 30_000
    assert per_second(rates(rig).accepted, rig.clock()) == 1
    rig.clock.advance(MINUTE_MS)
    assert per_second(rates(rig).accepted, rig.clock()) == 1
    rig.clock.advance(MINUTE_MS)
    assert per_second(rates(rig).accepted, rig.clock()) == 0


def test_after_an_hour_nothing_is_left(rig: Rig) -> None:
    at(rig, 10)
    rig.put(*items("a"))
    at(rig, 10 + MINUTES)
    assert rates(rig) == Rates([0] * MINUTES, [0] * MINUTES)


def test_what_is_refused_or_sent_twice_counts_once(rig: Rig) -> None:
    narrow, made = rig.with_settings(queue_tasks=1), make_batch(Operation.PUT, items("a"))
    for nonce in ("one", "one", "two"):
        narrow.submit_batch(made, nonce=nonce)
    grant = narrow.acquire()
    steps = narrow.plan(grant)
    for _ in range(2):
        narrow.take(grant, steps)
    assert (sum(rates(rig).accepted), sum(rates(rig).applied)) == (1, 1)


def test_a_failed_task_applied_nothing_and_a_re_run_is_accepted_again(rig: Rig) -> None:
    at(rig, 5)
    rig.patch(*items("a", "b"))
    rig.drain()
    rig.rerun(1)
    assert (sum(rates(rig).accepted), sum(rates(rig).applied)) == (4, 0)


def test_catalogs_are_read_together_and_added_up(rig: Rig) -> None:
    at(rig, 5)
    rig.put(*items("a"))
    rig.put(*items("a", "b"), catalog_key="other")
    both = read_rates(rig.client, [ACME, "none", "other"], now_ms=rig.clock())
    assert [each.accepted[-1] for each in both] == [1, 0, 2]
    assert add_up(both).accepted[-1] == 3
    assert add_up([]).applied == [0] * MINUTES
