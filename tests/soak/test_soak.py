"""Half a minute of the soak test; `make soak` is two hours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploy.stack.embedded_store import server_binary
from shared.errors import Misconfigured
from tests.soak.flatness import Flatness, compare_ends
from tests.soak.run import Result, run_soak

SECONDS, RETENTION_S = 30.0, 6

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    try:
        server_binary()
    except Misconfigured as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(str(problem))
        pytest.skip(str(problem))
    folder: Path = tmp_path_factory.mktemp("soak")
    return run_soak(folder, seconds=SECONDS, seed=1, retention_s=RETENTION_S, every_s=2.0)


def test_everything_at_once_goes_on_and_copies_and_tables_are_the_catalogues(result: Result) -> None:
    assert result.wrong == []
    assert all(result.done.values()), result.done
    assert result.told > 0


def test_what_each_process_holds_is_noted_all_the_time(result: Result) -> None:
    for process in ("store", "ingress", "ingress, child 2", "worker, child 2", "ftps", "flower", "the store's data"):
        assert len(result.series[f"memory of {process}, MB"]) > 2


def test_a_series_is_flat_if_its_end_is_like_its_beginning() -> None:
    """What comes before the warm end of the start does not count; nor does what is kept for days."""
    points = [(float(at), 100.0 if at >= 20 else 0.0) for at in range(100)]
    grown = [(at, value + (6 if at > 85 else 0)) for at, value in points]
    shrunk = [(at, value - (6 if at > 85 else 0)) for at, value in points]
    series = {"flat": points, "grown": grown, "shrunk": shrunk, "gone": points[:50], "disk: exports, MB": grown}
    found = {one.name: one for one in compare_ends(series, warm_s=20, seconds=100)}
    assert found["grown"] == Flatness("grown", 100.0, 106.0, 106.0)
    assert [one.name for one in found.values() if not one.is_flat] == ["gone", "grown", "shrunk"]
