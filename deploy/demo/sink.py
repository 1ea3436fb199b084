"""The demo's sink: the catalogue in a database or a search engine, compared with what is stored."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console

from deploy.demo.postgres_server import DemoPostgres
from shared.clock import now_ms
from shared.errors import SluiceError
from shared.nonces import new_nonce
from shared.sinks.destination import CALL_S, check_sink, connect
from shared.sinks.mapping import DEFAULT
from shared.sinks.sink_lease import read_state
from shared.sinks.sink_reports import has_all
from shared.sinks.sinks import Sink, SinkName, Sinks
from shared.sinks.verify import Verification
from shared.store.client import Store
from shared.waiting import wait_until

#: What stands for a PostgreSQL of the demo's own.
POSTGRES = "postgres"
#: The sink, and its table or index, in a PostgreSQL of the demo's own; elsewhere it gets a new one each time.
NAME = "products"
#: Seconds until it has everything.
DELIVERED_TIMEOUT_S = 300


class SinkFails(SluiceError):
    """The demo's sink cannot deliver; the text says why."""


class DemoSink:
    """Where the demo's catalogue is delivered to."""

    def __init__(self, url: str, shell: str, *, name: str = NAME) -> None:
        self.url = url
        self.name = name
        #: Command that opens it; '' if none is known.
        self.shell = shell

    def add(self, client: Store, catalog_key: str) -> Sink:
        """Add it to a catalog."""
        return Sinks(client, catalog_key).add(self.name, self.url, section="Products", mapping=DEFAULT, now_ms=now_ms())

    def check(self, client: Store, catalog_key: str, console: Console) -> bool:
        """Wait until all is delivered, and print whether it is what is stored.  Raises SinkFails."""
        started, name = time.monotonic(), SinkName(catalog_key, self.name)

        def is_whole() -> bool:
            state = read_state(client, name)
            if state.phase == "failing":
                raise SinkFails(f"{self.shown(client, name)} cannot be delivered to: {state.error}")
            return has_all(client, name, state)

        wait_until(is_whole, "the sink has everything", timeout_s=DELIVERED_TIMEOUT_S)
        console.print(
            f"delivered to {name.name} in {self.shown(client, name)} {time.monotonic() - started:.1f} s after that"
        )
        sink = Sinks(client, catalog_key).get(self.name)
        destination, right = connect(sink, catalog_key, timeout_s=CALL_S), True
        try:
            for found in Verification(client, catalog_key, sink, destination).run():
                verdict = f"{found.wrong} differ from what is stored" if found.wrong else "equal to what is stored"
                console.print(f"compared  {found.compared:,} {found.kind}: {verdict}")
                right = right and not found.wrong
        finally:
            destination.close()
        return right

    def shown(self, client: Store, name: SinkName) -> str:
        return Sinks(client, name.catalog_key).get(name.name).shown_url


@contextlib.contextmanager
def open_sink(wanted: str | None) -> Iterator[DemoSink | None]:
    """Have a destination for a while: a URL, or a PostgreSQL of the demo's own.  Raises NoPostgres, BadSink."""
    if wanted is None:
        yield None
    elif wanted == POSTGRES:
        # Before it is started: is there a client for it?
        check_sink("postgresql://localhost", DEFAULT)
        server = DemoPostgres()
        try:
            yield DemoSink(server.url, server.shell)
        finally:
            server.stop()
    else:
        check_sink(wanted, DEFAULT)
        # What an earlier run left belongs to that run's catalogue, and no other may replace it.
        yield DemoSink(wanted, "", name=f"{NAME}_{new_nonce()[:8]}")
