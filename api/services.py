"""Services: the stores and the doorbell, created once per process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from flask import current_app

from api.configured_credentials import ConfiguredCredentials
from api.waiters import Waiters
from shared.catalog.field_stats import FieldStatistics
from shared.catalog.reader import Catalog
from shared.clock import Clock
from shared.credential_changes import CredentialChanges
from shared.credentials import Credentials
from shared.doorbell import Doorbell, choose_broker_url, doorbell_app
from shared.errors import Misconfigured
from shared.exports.export_records import Exports
from shared.exports.files import ExportFiles
from shared.guards.guard_records import Guards
from shared.outbox.outbox import Outbox
from shared.outbox.webhooks import Webhooks
from shared.partition.backlog import Backlog
from shared.partition.heartbeats import Heartbeats
from shared.partition.state import PartitionState, read_state
from shared.partition.tail import Tail
from shared.settings import Settings
from shared.sinks.indexed import RequiredSinks, read_required
from shared.store.client import connect
from shared.store.durability import Durability
from shared.store.memory import MemoryGuard
from shared.tasks.change_feed import ChangeFeed
from shared.tasks.cursors import Cursors
from shared.tasks.payloads import Payloads
from shared.tasks.records import Task, Tasks
from shared.tasks.reports import Reports
from shared.telemetry.logs import configure_logs
from shared.telemetry.refused_writes import RefusedWrites

EXTENSION = "sluice"


@dataclass(frozen=True, slots=True)
class Services:
    """The stores and the doorbell."""

    #: A client of the store.
    client: Any
    export_files: ExportFiles
    settings: Settings
    credentials: Credentials
    credential_changes: CredentialChanges
    backlog: Backlog
    memory: MemoryGuard
    durability: Durability
    heartbeats: Heartbeats
    doorbell: Doorbell
    clock: Clock
    waiters: Waiters

    def admit(self, catalog_key: str, growth: int = 0, *, is_early: bool = False) -> None:
        """Raise StoreFull or StoreUnavailable if the store cannot accept more, or not as durably as promised.

        ``growth`` and ``is_early`` as in `MemoryGuard.admit`.
        """
        self.durability.check()
        self.memory.admit(catalog_key, growth, is_early=is_early)

    def partition_state(self, catalog_key: str) -> PartitionState:
        return read_state(self.client, catalog_key)

    def tail(self, catalog_key: str) -> Tail:
        return Tail(self.client, self.settings, catalog_key)

    def catalog(self, catalog_key: str) -> Catalog:
        return Catalog(self.client, catalog_key)

    def field_statistics(self, catalog_key: str) -> FieldStatistics:
        return FieldStatistics(self.client, catalog_key)

    def refused_writes(self, catalog_key: str) -> RefusedWrites:
        return RefusedWrites(self.client, catalog_key)

    def payloads(self, catalog_key: str) -> Payloads:
        return Payloads(self.client, catalog_key)

    def reports(self, catalog_key: str) -> Reports:
        return Reports(self.client, catalog_key)

    def changes(self, catalog_key: str) -> ChangeFeed:
        return ChangeFeed(self.client, catalog_key)

    def cursors(self, catalog_key: str) -> Cursors:
        return Cursors(self.client, catalog_key)

    def exports(self, catalog_key: str) -> Exports:
        return Exports(self.client, self.settings, catalog_key)

    def webhooks(self, catalog_key: str) -> Webhooks:
        return Webhooks(self.client, catalog_key)

    def guards(self, catalog_key: str) -> Guards:
        return Guards(self.client, catalog_key)

    def outbox(self, catalog_key: str) -> Outbox:
        return Outbox(self.client, catalog_key)

    def tasks(self, catalog_key: str) -> Tasks:
        return Tasks(self.client, catalog_key)

    def required_sinks(self, catalog_key: str) -> RequiredSinks:
        return read_required(self.client, catalog_key)

    def wait_for_task(self, catalog_key: str, task_id: int, seconds: float, *, standing_s: float = 0.0) -> Task | None:
        """Wait until a task has ended, see `Waiters.wait_for_end`."""
        return self.waiters.wait_for_end(
            self.tasks(catalog_key),
            task_id,
            seconds,
            standing_s=standing_s,
            indexed=lambda task: self.required_sinks(catalog_key).have(task),
        )


def current_services() -> Services:
    """Return the services of the app that handles the current request."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy costs as much as all the rest
    return cast(Services, app.extensions[EXTENSION])


def create_services(settings: Settings, *, clock: Clock) -> Services:
    """Build what the views work with, and the FTPS service beside them."""
    if settings.redis_url is None:
        raise Misconfigured("SLUICE_REDIS_URL is not set; `make up` starts a server of its own and sets it")
    configure_logs(settings.log_level)
    client = connect(settings.redis_url)
    backlog = Backlog(client)
    configured = ConfiguredCredentials(settings)
    broker_url = choose_broker_url(settings.broker_url, settings.redis_url)
    return Services(
        client=client,
        export_files=ExportFiles(settings),
        settings=settings,
        credentials=Credentials(
            client,
            configured.read(),
            clock=clock,
            have_changed=configured.have_changed,
            reread=configured.reread,
        ),
        credential_changes=CredentialChanges(client),
        backlog=backlog,
        memory=MemoryGuard(client),
        durability=Durability(client, settings.durability),
        heartbeats=Heartbeats(client),
        doorbell=Doorbell(doorbell_app(broker_url), broker_url, needless=backlog.is_watched),
        clock=clock,
        waiters=Waiters(settings.threads),
    )
