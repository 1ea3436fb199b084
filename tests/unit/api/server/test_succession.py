"""A process that is replaced serves until its successor does."""

from __future__ import annotations

from mmap import mmap

import pytest

from api.server.succession import BYTES, Succession


@pytest.fixture
def shared() -> mmap:
    return mmap(-1, BYTES)


def started(shared: mmap, age: int) -> Succession:
    process = Succession(shared, age)
    process.started()
    return process


def test_a_successor_is_awaited_from_its_start_until_it_serves(shared: mmap) -> None:
    old = started(shared, 1)
    old.serving()
    assert not old.is_coming
    new = started(shared, 2)
    assert old.is_coming
    new.serving()
    assert not old.is_coming


def test_nobody_is_awaited_when_all_end(shared: mmap) -> None:
    """Neither by the youngest, nor by older ones beside which it serves, in whatever order they began to."""
    both = [started(shared, 1), started(shared, 2)]
    for process in reversed(both):
        process.serving()
    assert not any(process.is_coming for process in both)
