"""Fixtures of the acceptance tests: stacks of real processes, and a place for what was measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from deploy.stack.embedded_store import server_binary
from shared.errors import Misconfigured
from tests.acceptance.customer import Customer
from tests.acceptance.site import Site, running_site

#: Makes a running site with these settings, in a folder of its own.
OpenSite = Callable[..., AbstractContextManager[Site]]


@pytest.fixture(scope="session")
def open_site(tmp_path_factory: pytest.TempPathFactory) -> OpenSite:
    """Without the embedded server, the tests that need a stack are skipped at home and fail in CI."""
    try:
        server_binary()
    except Misconfigured as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(str(problem))
        pytest.skip(str(problem))

    def opened(**settings: Any) -> AbstractContextManager[Site]:
        return running_site(tmp_path_factory.mktemp("site"), **settings)

    return opened


@pytest.fixture(scope="session")
def site(open_site: OpenSite) -> Iterator[Site]:
    """The stack of all tests that need nothing special, with the settings that ship."""
    with open_site() as running:
        yield running


@pytest.fixture
def customer(site: Site) -> Customer:
    """A customer with an empty catalog."""
    return site.customer()
