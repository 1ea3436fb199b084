"""Fixtures of the tests that ask over HTTP."""

from __future__ import annotations

import pytest

from tests.support.ingress import Ingress
from tests.support.rig import Rig
from tests.support.store_server import StoreServer


@pytest.fixture
def ingress(rig: Rig, store_server: StoreServer) -> Ingress:
    return Ingress(rig, store_server.url)
