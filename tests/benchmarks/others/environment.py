"""The environment variables of the other systems' processes."""

from __future__ import annotations

import os

import redis

#: Names of the variables.
STORE_URL, BROKER_URL, POSTGRES = "BENCH_STORE_URL", "BENCH_BROKER_URL", "BENCH_POSTGRES"


def store() -> redis.Redis:
    """Connect to the store of the entries."""
    return redis.Redis.from_url(os.environ[STORE_URL])
