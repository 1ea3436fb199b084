"""Commands go to the right servers of a cluster."""

from __future__ import annotations

import pytest

from shared import keys
from shared.keys import CatalogKeys
from shared.partition.backlog import Backlog
from shared.store.client import connect
from shared.store.cluster import ClusterClient, host_and_port
from shared.store.wire import Command


class Written(ClusterClient):
    """Shards that nobody serves: what would be sent in one round trip is written down."""

    def __init__(self) -> None:
        super().__init__("redis://nowhere:1")
        self.sent: list[list[str]] = []

    def _send_to(self, slot: int, commands: object, transmit: object) -> list[object]:
        assert isinstance(commands, list)
        self.sent.append([str(command[0]) for command in commands])
        return list(commands)


def test_what_makes_up_a_submit_takes_three_round_trips_in_order() -> None:
    """Known and marked before it, marked again and called after it; MULTI and WAIT stay with their keys."""
    of, written = CatalogKeys("acme"), Written()
    commands: list[Command] = [
        *Backlog.before_submit("acme", 1), ("MULTI",), ("UNLINK", of.upload("n")), ("EXEC",),
        ("EVALSHA", "sha", 1, of.stream), ("WAIT", 1, 1000), *Backlog.after_submit("acme", 1),
    ]  # fmt: skip
    assert written.send(commands, lambda *_: []) == commands
    assert written.sent == [["ZADD", "ZADD"], ["MULTI", "UNLINK", "EXEC", "EVALSHA", "WAIT"], ["ZADD", "ZADD"]]


def test_all_that_spans_catalogs_lies_together_and_apart_from_any_catalog() -> None:
    names = [value for name, value in vars(keys).items() if name.isupper() and value]
    assert len(names) >= 7
    assert all(name.startswith("{sluice}:") for name in names)
    assert not CatalogKeys("sluice").prefix.startswith("{sluice}:")


@pytest.mark.parametrize("text", ["host", "host:", "host:x", ":1", ""])
def test_a_host_without_a_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"host:port|[Pp]ort"):
        host_and_port(text)


def test_several_hosts_a_password_and_tls_can_be_named() -> None:
    store = connect("rediss+cluster://user:secret@one:1,[::2]:2/0?ssl_cert_reqs=none")
    assert isinstance(store, ClusterClient)
    assert store._url == "rediss://user:secret@one:1/0?ssl_cert_reqs=none"
    assert store._others == [("::2", 2)]
