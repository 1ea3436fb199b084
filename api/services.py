"""What the views work with, made once per process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from flask import current_app

from api.waiting import Waiters
from shared.backlog import Backlog
from shared.catalogs import Catalog
from shared.changes import ChangeFeed
from shared.clock import Clock
from shared.credentials import Credentials
from shared.durability import Durability
from shared.export_files import ExportFiles
from shared.exports import Exports
from shared.heartbeats import Heartbeats
from shared.memory import Room
from shared.outbox import Outbox
from shared.partitions import Partition
from shared.payloads import Payloads
from shared.reports import Reports
from shared.settings import Settings
from shared.tasks import Tasks
from shared.wakeups import Bell
from shared.webhooks import Webhooks

EXTENSION = "sluice"


@dataclass(frozen=True, slots=True)
class Services:
    """The stores and the bell."""

    #: A client of the store.
    client: Any
    export_files: ExportFiles
    settings: Settings
    credentials: Credentials
    backlog: Backlog
    room: Room
    durability: Durability
    heartbeats: Heartbeats
    bell: Bell
    clock: Clock
    waiters: Waiters

    def admit(self, payload_bytes: int = 0, entries: int = 0) -> None:
        """Raise StoreFull or StoreUnavailable if the store can take nothing more, or not as safely as promised."""
        self.durability.check()
        self.room.take(payload_bytes, entries)

    def partition(self, catalog_key: str) -> Partition:
        return Partition(self.client, self.settings, catalog_key)

    def catalog(self, catalog_key: str) -> Catalog:
        return Catalog(self.client, catalog_key)

    def payloads(self, catalog_key: str) -> Payloads:
        return Payloads(self.client, catalog_key)

    def reports(self, catalog_key: str) -> Reports:
        return Reports(self.client, catalog_key)

    def changes(self, catalog_key: str) -> ChangeFeed:
        return ChangeFeed(self.client, catalog_key)

    def exports(self, catalog_key: str) -> Exports:
        return Exports(self.client, self.settings, catalog_key)

    def webhooks(self, catalog_key: str) -> Webhooks:
        return Webhooks(self.client, catalog_key)

    def outbox(self, catalog_key: str) -> Outbox:
        return Outbox(self.client, catalog_key)

    def tasks(self, catalog_key: str) -> Tasks:
        return Tasks(self.client, catalog_key)


def services() -> Services:
    """The services of the app that answers the present request."""
    return cast(Services, current_app.extensions[EXTENSION])
