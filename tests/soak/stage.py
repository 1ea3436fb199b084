"""The stage of a soak test: the whole stack, a PostgreSQL to deliver to, and a receiver of webhooks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from deploy.stack.ports import LOOPBACK, free_port
from deploy.stack.stack import Stack
from shared.clock import now_ms
from shared.sinks.mapping import DEFAULT
from shared.sinks.sinks import Sinks
from shared.store.client import connect
from tests.acceptance.customer import Customer
from tests.acceptance.site import CATALOGS, TOKEN, environment
from tests.benchmarks.postgres import find_programs
from tests.support.postgres_server import PostgresServer
from tests.support.receivers import Endpoint, http_endpoint

#: Shops that are written to, the first of them delivered to PostgreSQL, and one that is only measured.
SHOPS, SUNK, PROBED = CATALOGS[:4], CATALOGS[:2], CATALOGS[4]
#: Bytes of the store's log from which on it is written anew; a gibibyte would take hours.
LOG_BYTES = 64 * 1024 * 1024


@dataclass
class Stage:
    """What is loaded and looked at."""

    stack: Stack
    ftps_port: int
    #: None where no PostgreSQL is installed: nothing is delivered then.
    postgres_url: str | None
    receiver: Endpoint

    def customer(self, catalog_key: str) -> Customer:
        """Make a customer of a catalogue."""
        return Customer(self.stack.api_url, catalog_key, TOKEN)

    def store(self) -> redis.Redis:
        """Make a client of the data."""
        client = connect(self.stack.environ["SLUICE_REDIS_URL"])
        assert isinstance(client, redis.Redis)
        return client


def sink_of(catalog_key: str) -> str:
    """Name the sink of a catalogue, which is its table too."""
    return catalog_key.replace("-", "_")


@contextlib.contextmanager
def open_stage(folder: Path, *, retention_s: int) -> Iterator[Stage]:
    """Run everything; ended tasks are kept for so long, their payloads for half of it."""
    ftps_port, flower_port = free_port(LOOPBACK, 0), free_port(LOOPBACK, 0)
    with contextlib.ExitStack() as stack:
        postgres = _postgres(stack, folder)
        settings: Mapping[str, Any] = {
            "task_retention_s": retention_s, "payload_retention_s": retention_s // 2, "ingress": 2, "workers": 2,
            "sinks": 2 if postgres else 0, "ftps_port": ftps_port, "ftps_passive_ports": "33000-33099",
            "flower_port": flower_port, "webhook_private": "allow",
        }  # fmt: skip
        receiver = stack.enter_context(http_endpoint())
        running = stack.enter_context(Stack(environment(folder / "data", **settings)))
        stage = Stage(running, ftps_port, postgres, receiver)
        with stage.store() as client:
            client.config_set("auto-aof-rewrite-min-size", LOG_BYTES)
            for catalog_key in SUNK if postgres else ():
                sinks = Sinks(client, catalog_key)
                sinks.add(sink_of(catalog_key), postgres or "", section="Products", mapping=DEFAULT, now_ms=now_ms())
        for catalog_key in SHOPS:
            stage.customer(catalog_key).call("POST", "/v1/webhooks", body={"url": receiver.url}).ok()
        yield stage


def _postgres(stack: contextlib.ExitStack, folder: Path) -> str | None:
    programs = find_programs()
    if programs is None:
        return None
    server = PostgresServer(programs, folder)
    stack.callback(server.stop)
    return server.new_database()
