"""All those outside during one chaos run: senders by FTPS, receivers of webhooks, archivists, slow clients."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from shared.keys import CatalogKeys
from shared.store.client import Store, server_of
from shared.store.scripts import run
from tests.chaos.links import Heal, Link
from tests.chaos.outside.archivist import Archivist
from tests.chaos.outside.ftps_door import FtpsDoor
from tests.chaos.outside.ftps_files import FtpsSender
from tests.chaos.outside.listener import Listener
from tests.chaos.outside.slow_crowd import SlowCrowd
from tests.chaos.patient import Patient
from tests.chaos.stage import CERTIFICATE, TOKEN, Stage
from tests.support.laws import LawBroken
from tests.support.receivers import Endpoint, http_endpoint
from tests.support.slow_clients import kinds

#: Of which ends webhooks are told, one after the other; of all, if none is named.
STATUSES: tuple[tuple[str, ...], ...] = ((), ("FAILED", "CANCELED"))
#: Milliseconds in which the store has written down what was made for the trial.
WRITTEN_MS = 10_000


@dataclass
class OutsideSeen:
    """How often those outside did what."""

    #: Files that were taken by FTPS, renamed, cut, broken, left without a reply.
    ftps: Counter[str] = field(default_factory=Counter)
    #: Tasks that webhooks were told of, and calls.
    told: Counter[str] = field(default_factory=Counter)
    #: Exports by how they ended.
    exports: Counter[str] = field(default_factory=Counter)
    slow_clients: int = 0


@dataclass
class OutsideTrial:
    """Those outside of one run."""

    customers: Sequence[Patient]
    ftps: FtpsSender
    #: In front of the receiver of webhooks.
    link: Link
    endpoint: Endpoint
    listeners: Sequence[tuple[Patient, Listener]]
    archivists: Sequence[Archivist]
    may_have_lost: bool
    _crowds: list[SlowCrowd] = field(default_factory=list)

    def receive_with(self, status: int) -> Heal:
        """Have webhooks answered with a status until the healing."""
        well, self.endpoint.usual = self.endpoint.usual, status
        return lambda: setattr(self.endpoint, "usual", well)

    def send_crowd(self, url: str) -> Heal:
        """Send slow clients of all kinds to an ingress, until the healing."""
        one = self.customers[0]
        page = f"/v2/items?key={one.catalog_key}&num_results_per_page=1000"
        self._crowds.append(crowd := SlowCrowd(url, list(kinds(one.catalog_key, one.authorization, page).values())))
        return crowd.leave

    def find_files(self) -> list[str]:
        """Find the tasks of the files whose task no reply named, once nothing is sent; returns what is wrong."""
        return _broken(
            lambda customer=customer: self.ftps.find_tasks(customer, may_have_lost=self.may_have_lost)  # type: ignore[misc]
            for customer in self.customers
        )

    def be_told(self, client: Store) -> list[str]:
        """Wait until all webhooks were told of all that ended; returns what is wrong."""
        for customer, listener in self.listeners:
            listener.be_told(client, customer.tasks())
        return _broken(
            lambda customer=customer, listener=listener: listener.check(  # type: ignore[misc]
                customer.tasks(), may_have_lost=self.may_have_lost
            )
            for customer, listener in self.listeners
        )

    def check_exports(self) -> list[str]:
        """Compare each exported file with the model; returns what is wrong."""
        wrong = [f"an archivist: {archivist.wrong!r}" for archivist in self.archivists if archivist.wrong]
        return wrong + _broken(archivist.check for archivist in self.archivists)

    def seen(self) -> OutsideSeen:
        """Count what they did."""
        calls = [call for _, listener in self.listeners for call in listener.calls()]
        told = Counter(tasks=len({(call.path, call.id) for call in calls}), calls=len(calls))
        exports = sum((archivist.seen for archivist in self.archivists), Counter[str]())
        return OutsideSeen(self.ftps.seen, told, exports, sum(crowd.came for crowd in self._crowds))


@contextlib.contextmanager
def open_outside(
    stage: Stage, customers: Sequence[Patient], *, told: Sequence[str], archived: Sequence[str], seed: int,
    may_have_lost: bool,
) -> Iterator[OutsideTrial]:  # fmt: skip
    """Make webhooks of some catalogs, and have others exported, for as long as this lasts."""
    by_key = {customer.catalog_key: customer for customer in customers}
    with http_endpoint() as endpoint:
        link = Link(("127.0.0.1", urlsplit(endpoint.url).port or 0))
        try:
            listeners = [
                (by_key[key], Listener(by_key[key], endpoint, f"http://127.0.0.1:{link.port}", statuses))
                for key, statuses in zip(told, itertools.cycle(STATUSES), strict=False)
            ]
            # They are not to be lost with a store's last second, or with a master.
            for key in told:
                _keep(stage.fleet.connect(), key)
            archivists = [Archivist(by_key[key], seed, may_have_lost=may_have_lost) for key in archived]
            ftps = FtpsSender(FtpsDoor(stage.fleet.folder / CERTIFICATE, stage.fleet.ftps_port, TOKEN))
            yield OutsideTrial(customers, ftps, link, endpoint, listeners, archivists, may_have_lost)
        finally:
            link.close()


def _keep(client: Store, catalog_key: str) -> None:
    """Wait until all that was written of a catalog so far is on the disks of its servers."""
    server = server_of(client, catalog_key)
    replicas = server.info("replication")["connected_slaves"]
    # What others have written is waited for by who writes after them.
    written = ("SET", CatalogKeys(catalog_key).nonce("kept"), 1, "PX", 1)
    run(server, written, ("WAITAOF", 1, replicas, WRITTEN_MS))


def _broken(checks: Iterator[Callable[[], None]]) -> list[str]:
    wrong = []
    for check in checks:
        try:
            check()
        except LawBroken as broken:
            wrong.append(f"outside: {broken}")
    return wrong
