"""The official Node client works through TLS and through a proxy as without: all its tests once more."""

from __future__ import annotations

import pytest

from tests.acceptance.customer import Customer
from tests.acceptance.doors import door_site  # noqa: F401  (a fixture)
from tests.acceptance.site import Site
from tests.acceptance.test_node_client import *  # noqa: F403


@pytest.fixture
def customer(door_site: Site) -> Customer:  # noqa: F811
    return door_site.customer()


@pytest.fixture(scope="module")
def site(door_site: Site) -> Site:  # noqa: F811
    return door_site
