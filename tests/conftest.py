"""Fixtures of all tests.  A test that uses the store gets an empty one, and fails if it leaves a key that leaks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
import redis
import structlog

from shared.errors import Misconfigured
from tests.support.by_hand import HandClock, SilentBell
from tests.support.key_checker import check_keys
from tests.support.rig import Rig
from tests.support.store_server import StoreServer, running_store
from workers.drain.drainer import Drainer

# The same examples each time: a test that fails does so again.
hypothesis.settings.register_profile("sluice", derandomize=True, deadline=None, database=None, print_blob=True)
hypothesis.settings.load_profile("sluice")

# Bare tracebacks: the pretty ones of the default take longer than the tests, where failures are part of the test.
structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])

_PASSED = pytest.StashKey[bool]()
_MEASURED: list[str] = []


@pytest.fixture(scope="session")
def measured() -> Callable[[str], None]:
    """Note a figure for the end of the run."""
    return _MEASURED.append


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what was measured to the process that speaks, if this is one of several."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["measured"] = _MEASURED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _MEASURED.extend(getattr(node, "workeroutput", {}).get("measured", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was measured, also when all is well."""
    if _MEASURED:
        terminalreporter.section("measured")
        for line in _MEASURED:
            terminalreporter.line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Remember whether the test itself passed, for the fixtures that look after it."""
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


@pytest.fixture(scope="session")
def store_server() -> Iterator[StoreServer]:
    """A real valkey-server; without its binary tests are skipped at home and fail in CI."""
    try:
        with running_store() as server:
            yield server
    except Misconfigured as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(str(problem))
        pytest.skip(str(problem))


@pytest.fixture
def client(store_server: StoreServer, request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """A client of the empty store.

    After the test every key must be as shared/keys.py declares it, and the server is as it was before.
    """
    with store_server.connect() as client:
        client.flushall()
        yield client
        store_server.restore(client)
        if request.node.stash.get(_PASSED, False):
            check_keys(client)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def bell() -> SilentBell:
    return SilentBell()


@pytest.fixture
def rig(client: redis.Redis, clock: HandClock, bell: SilentBell) -> Rig:
    return Rig(client, clock, bell)


@pytest.fixture
def drainer(rig: Rig) -> Drainer:
    return rig.drainer()
