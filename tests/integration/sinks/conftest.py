"""Fixtures of the tests of sinks."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.postgres_server import PostgresServer, start
from tests.support.rig import Rig
from tests.support.sinks import SinkRig


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A real PostgreSQL; without its programs tests are skipped at home and fail in CI."""
    server = start(tmp_path_factory.mktemp("postgres"))
    if server is None:
        if os.environ.get("CI") == "true":
            pytest.fail("PostgreSQL is not installed: apt-get install postgresql")
        pytest.skip("PostgreSQL is not installed")
    yield server
    server.stop()


@pytest.fixture
def sink(rig: Rig, postgres: PostgresServer) -> Iterator[SinkRig]:
    sink = SinkRig(rig, postgres.new_database())
    yield sink
    sink.close()
