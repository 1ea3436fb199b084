"""Seats for requests: so many at once, the others in their order, none waits for ever."""

from __future__ import annotations

from api.server.seats import Seats


def test_who_finds_no_seat_is_taken_on_by_who_leaves_in_order() -> None:
    lane: Seats[str] = Seats(1)
    assert lane.enter("a", 0)
    assert [lane.enter(who, 0) for who in "bc"] == [False, False]
    assert [lane.leave(), lane.leave(), lane.leave()] == ["b", "c", None]


def test_a_seat_that_was_given_back_is_free() -> None:
    lane: Seats[str] = Seats(1)
    assert lane.enter("a", 0)
    assert lane.leave() is None
    assert lane.enter("b", 0)


def test_who_has_waited_too_long_is_taken_out_and_keeps_no_seat() -> None:
    lane: Seats[str] = Seats(1)
    for at, who in enumerate("abcd"):
        lane.enter(who, at)
    assert lane.give_up(2) == ["b", "c"]
    assert [lane.leave(), lane.leave()] == ["d", None]
