"""A cluster for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from shared.errors import Misconfigured
from tests.support.cluster import Cluster, running_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Three shards with a replica each; without a server's binary skipped at home, a failure in CI."""
    try:
        with running_cluster() as running:
            yield running
    except Misconfigured as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(str(problem))
        pytest.skip(str(problem))
