"""Plots: everything lies on the paper, and what is little does not look like nothing."""

from __future__ import annotations

import re

import pytest

from api.dashboard.charts import HEIGHT, WIDTH, plot, sparkline


@pytest.mark.parametrize("peak", [0, 0.02, 0.4, 1, 7, 59, 61, 4_000_000])
def test_the_peak_is_on_the_paper_and_in_its_upper_part(peak: float) -> None:
    drawn = plot([("applied", "applied", [0.0, peak, 0.0])])
    top = drawn.grid[-1].value
    assert peak <= top
    assert peak >= top / 3 or peak < 0.1
    [line] = drawn.lines
    numbers = [float(number) for number in re.findall(r"[\d.]+", line.path)]
    assert all(0 <= x <= WIDTH for x in numbers[::2])
    assert all(0 <= y <= HEIGHT for y in numbers[1::2])
    assert line.peak == peak


def test_without_anything_there_are_lines_along_the_ground() -> None:
    assert {y for _, y in re.findall(r"([\d.]+),([\d.]+)", sparkline([0, 0, 0]))} == {"20.0"}
