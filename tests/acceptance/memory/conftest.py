"""A fleet whose store has little memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.customer import Customer
from tests.acceptance.memory.trial import ALL, MAXMEMORY, SERVER, SETTINGS, TOKEN, Trial
from tests.support.fleet import Fleet, running_fleet

CATALOG_KEY = "acme"


def scope(fixture_name: str, config: Any) -> str:
    """One fleet for each trial, so that its peak is told; or one for all, where time is short."""
    return "function" if ALL else "module"


@pytest.fixture(scope=scope)  # type: ignore[arg-type]
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("memory")
    with running_fleet(
        folder, credentials=f"{CATALOG_KEY}:{TOKEN}", store={"maxmemory": MAXMEMORY}, server=SERVER,
        exports_url=f"file://{folder}/exports", **SETTINGS,
    ) as fleet:  # fmt: skip
        yield fleet


@pytest.fixture
def trial(fleet: Fleet) -> Trial:
    """A trial on an empty store."""
    client = fleet.connect()
    client.flushall()
    return Trial(fleet, [client], [Customer(fleet.urls[0], CATALOG_KEY, TOKEN)])
