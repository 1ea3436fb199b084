"""A change is delivered in as many parts as the destination needs, whatever it says and however slow it is."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model import Kind
from shared.sinks import deliver_in_parts as module
from shared.sinks.deliver_in_parts import MOST_ENTRIES, Pace, deliver_in_parts
from shared.sinks.destination import CALL_S, Copy, CopyChange, DestinationAway, Mark, TooMuchAtOnce, Which
from shared.sinks.mapping import Document
from shared.store.positions import Position

BEFORE = Copy(Mark(Position(3, "run"), 3), "v", "cursor")
AFTER = Copy(Mark(Position(5, "run"), 5), "v")
WRITTEN = {
    kind: [Document(f"{kind}{number}", None, 0, b"{}") for number in range(20)]
    for kind in (Kind.ITEMS, Kind.VARIATIONS)
}
CHANGE = CopyChange(Which.LIVE, BEFORE, AFTER, WRITTEN, {Kind.ITEMS: [f"gone{number}" for number in range(10)]})


class Limited:
    """A destination that takes so many entries at once, in place of a real one."""

    def __init__(self, most: int, problem: type[Exception]) -> None:
        self.most = most
        self.problem = problem
        self.copy = BEFORE
        self.taken = set[str]()
        self.seen = list[Mark]()

    def deliver(self, change: CopyChange) -> list[Any]:
        if change.entries > self.most:
            raise self.problem("not so much")
        assert change.before == self.copy
        self.copy = change.after
        self.seen.append(change.after.mark)
        self.taken |= {one.id for some in change.documents.values() for one in some}
        self.taken |= {entry_id for some in change.gone.values() for entry_id in some}
        return []


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_all_of_a_change_is_delivered_and_only_its_last_part_is_exact(most: int) -> None:
    """Until then the copy has some of what comes after its position, and says so; its cursor stays."""
    destination: Any = Limited(most, TooMuchAtOnce)
    assert deliver_in_parts(destination, CHANGE, lambda: None) == []
    assert len(destination.taken) == CHANGE.entries
    assert destination.copy == AFTER
    assert [mark for mark in destination.seen if mark.exact] == [AFTER.mark]
    assert {mark.position for mark in destination.seen[:-1]} <= {BEFORE.mark.position}


def test_what_never_ends_in_time_is_tried_again_in_ever_smaller_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be tried for ever, and the sink would be where it is."""
    monkeypatch.setattr(module, "FAILED_S", 0.0)
    destination: Any = Limited(2, DestinationAway)
    pace, attempts = Pace(), 0
    while destination.copy != AFTER:
        attempts += 1
        assert attempts < 10
        try:
            # Those that come again begin where the copy is.
            change = CopyChange(Which.LIVE, destination.copy, AFTER, CHANGE.documents, CHANGE.gone)
            deliver_in_parts(destination, change, lambda: None, pace)
        except DestinationAway:
            continue
    assert len(destination.taken) == CHANGE.entries


def test_a_pace_slows_down_with_long_calls_and_speeds_up_after_quick_ones() -> None:
    pace = Pace()
    pace.took(1000, CALL_S * 0.6)
    pace.delivered(1000)
    assert pace.most == 250
    pace.took(200, CALL_S * 0.2, failed=True)
    assert pace.most == 50
    pace.took(50, CALL_S * 0.2)
    pace.delivered(1000)
    assert pace.most == 50, "neither long nor quick"
    pace.took(50, 0.0, failed=True)
    assert pace.most == 50, "it refused at once: that it was too much is not known"
    pace.took(10, 0.01)
    pace.delivered(10)
    assert pace.most == 50, "a small change says nothing of a larger one"
    for _ in range(20):
        pace.took(50, 0.01)
        pace.delivered(MOST_ENTRIES)
    assert pace.most == MOST_ENTRIES
    pace.took(1, CALL_S, failed=True)
    assert pace.most == MOST_ENTRIES, "where few were slow, it was not for being many"
    for _ in range(20):
        pace.took(pace.most, CALL_S, failed=True)
    assert pace.most == 1
