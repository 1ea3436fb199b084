"""Connections of one client, used by many threads."""

from __future__ import annotations

from shared.store.client import connect
from shared.store.scripts import run
from shared.waiting import wait_until
from tests.support.passing_threads import on_passing_threads
from tests.support.store_server import StoreServer

#: Connections that others may open meanwhile.
FEW = 20


def test_a_client_serves_any_number_of_threads_one_after_the_other(store_server: StoreServer) -> None:
    """Deliveries and uploads have a thread each: what one of them used is closed when it is gone."""
    client = connect(store_server.url)

    def connections() -> int:
        return len(run(client, ("CLIENT", "LIST"))[0].splitlines())

    before = connections()
    on_passing_threads(lambda: run(client, ("PING",)))
    # The server closes them in its own time.
    wait_until(lambda: connections() < before + FEW, "they are closed", timeout_s=30)
