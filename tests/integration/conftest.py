"""Fixtures of the tests that ask over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.ingress import Ingress
from tests.support.proxy import Proxy, proxied
from tests.support.rig import Rig
from tests.support.store_server import StoreServer


@pytest.fixture
def ingress(rig: Rig, store_server: StoreServer) -> Ingress:
    return Ingress(rig, store_server.url)


@pytest.fixture
def proxy(store_server: StoreServer) -> Iterator[Proxy]:
    """A way to the store that can be broken."""
    with proxied(store_server.socket_path) as proxy:
        yield proxy
