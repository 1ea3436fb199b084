"""Whoever follows the change feed learns whether there is more, and how far behind it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.store.positions import Position
from shared.tasks.change_feed import LOOK_TASKS, ChangeFeed, FeedLag, read_lags
from tests.support.batches import items
from tests.support.rig import ACME, Rig


def put(rig: Rig, *ids: str, catalog_key: str = ACME) -> int:
    """Put items, a chunk each, and return when that had ended."""
    rig.clock.advance(1000)
    rig.put(*items(*ids), chunk_entries=1, catalog_key=catalog_key)
    rig.drain(catalog_key)
    return rig.clock()


@pytest.fixture
def feed(rig: Rig) -> ChangeFeed:
    return ChangeFeed(rig.client, ACME)


def end(feed: ChangeFeed) -> Position:
    """The position behind all that has ended."""
    return feed.page(Position(0), section=None, size=100).next_after


def test_at_the_end_nothing_goes_on_until_a_task_ends(rig: Rig, feed: ChangeFeed) -> None:
    put(rig, "a")
    here = end(feed)
    assert (feed.ends_at(here), feed.goes_on(here)) == (True, False)
    rig.put(*items("b"))
    assert (feed.ends_at(here), feed.goes_on(here)) == (True, False)
    rig.drain()
    assert (feed.ends_at(here), feed.goes_on(here)) == (False, True)


def test_inside_a_task_it_goes_on(rig: Rig, feed: ChangeFeed) -> None:
    put(rig, "a", "b")
    inside = feed.page(Position(0), section=None, size=1, most_entries=1).next_after
    assert (inside.is_inside, feed.ends_at(inside), feed.goes_on(inside)) == (True, False, True)


def test_a_page_ends_with_the_chunk_that_fills_it(rig: Rig, feed: ChangeFeed) -> None:
    """With the last one it ends behind the task, and nothing is left to ask for."""
    for ids in ("ab", "cdefg", "h"):
        put(rig, *ids)
    position, pages = Position(0), []
    for _ in range(3):
        page = feed.page(position, section=None, size=100, most_entries=3)
        position = page.next_after
        ids = "".join(entry_id for change in page.changes for entry_id, _ in change.entries)
        pages.append((ids, position.is_inside, page.more))
    assert pages == [("abc", True, True), ("def", True, True), ("gh", False, False)]
    whole = feed.page(Position(0), section=None, size=100, most_entries=8)
    assert (whole.next_after, whole.more) == (position, False)


def test_the_end_of_another_run_of_the_store_is_no_end(rig: Rig, feed: ChangeFeed) -> None:
    """What came after it may be lost."""
    put(rig, "a")
    assert not feed.ends_at(replace(end(feed), mark="ffffffff"))


def test_what_the_feed_does_not_reach_back_to_goes_on(rig: Rig, feed: ChangeFeed) -> None:
    """So that its reader asks for it, and is told that it is gone."""
    put(rig, "a")
    beyond = replace(end(feed), task_id=7)
    assert (feed.ends_at(beyond), feed.goes_on(beyond)) == (False, True)


def test_how_far_followers_are_behind_is_told_in_tasks_and_since_when(rig: Rig) -> None:
    """Each in the feed of its catalog; one that has read all, or cannot go on, is behind since no moment."""
    first, second, other = put(rig, "a"), put(rig, "b"), put(rig, "a", catalog_key="other")
    positions = [(ACME, 2), (ACME, 0), ("other", 0), (ACME, 1), (ACME, 7), ("nobody's", 0)]
    expected = [FeedLag(0, 0), FeedLag(2, first), FeedLag(1, other), FeedLag(1, second), FeedLag(0, 0), FeedLag(0, 0)]
    assert read_lags(rig.client, [(key, Position(task_id)) for key, task_id in positions]) == expected
    assert read_lags(rig.client, [(ACME, Position(2)), (ACME, Position(7))]) == [FeedLag(0, 0)] * 2
    assert read_lags(rig.client, []) == []
    brief = rig.with_settings(payload_retention_s=1)
    rig.clock.advance(10_000)
    brief.retention().retire(now_ms=rig.clock(), limit=100)
    assert read_lags(rig.client, [(ACME, Position(0)), (ACME, Position(2))]) == [FeedLag(2, 0), FeedLag(0, 0)]


def test_a_page_of_many_tasks_ends_where_so_many_were_looked_at(rig: Rig, feed: ChangeFeed) -> None:
    """Those of other sections count, and the next page goes on behind them."""
    for number in range(LOOK_TASKS + 3):
        rig.put(*items("a"), section="Content" if number < LOOK_TASKS + 1 else "Products")
    rig.drain()
    page = feed.page(Position(0), section="Products", size=1)
    assert (page.changes, page.next_after.task_id, page.more) == ([], LOOK_TASKS, True)
    page = feed.page(page.next_after, section="Products", size=1)
    assert ([one.task_id for one in page.changes], page.more) == ([LOOK_TASKS + 2], True)
    assert feed.goes_on(page.next_after)
