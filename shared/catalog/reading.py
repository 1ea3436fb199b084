"""Read in steps: whoever reads says what to ask the store, so that several can share their round trips."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from shared.store.wire import Command

T = TypeVar("T")

#: Yields commands, is sent their replies, and returns what came of them.
Reading = Generator[Sequence[Command], list[Any], T]


def read(reading: Reading[T], ask: Callable[[Sequence[Command]], list[Any]]) -> T:
    """Carry a reading out by itself."""
    try:
        commands = next(reading)
        while True:
            commands = reading.send(ask(commands))
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]


def read_together(
    readings: Sequence[Reading[T]], ask: Callable[[Sequence[Sequence[Command]]], list[list[Any]]]
) -> list[T | Exception]:
    """Carry several out, those that still read in one round trip each time.

    Returns what came of each: one that raised an error is over, the others go on.  What ``ask`` raises ends all.
    """
    results: dict[int, T | Exception] = {}
    asked: dict[int, Sequence[Command]] = {}

    def advance(number: int, replies: list[Any] | None) -> None:
        try:
            asked[number] = next(readings[number]) if replies is None else readings[number].send(replies)
        except StopIteration as ended:
            results[number] = ended.value
        except Exception as error:
            results[number] = error

    for number in range(len(readings)):
        advance(number, None)
    while asked:
        before = dict(asked)
        asked.clear()
        for number, replies in zip(before, ask(list(before.values())), strict=True):
            advance(number, replies)
    return [results[number] for number in range(len(readings))]
