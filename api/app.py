"""The composition root of the ingress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

from api import (
    catalog_files,
    changes,
    documents,
    errors,
    exports,
    health,
    item_groups,
    item_groups_v1,
    items,
    items_v1,
    metrics,
    task_entries,
    tasks,
    tracing,
    webhooks,
)
from api.dashboard import site as dashboard
from api.paths import AnythingConverter, TaskIdConverter
from api.services import EXTENSION, Services
from api.waiting import Waiters
from shared.backlog import Backlog
from shared.clock import Clock, now_ms
from shared.credentials import Credentials, parse_credentials
from shared.durability import Durability
from shared.errors import Misconfigured
from shared.export_files import ExportFiles
from shared.heartbeats import Heartbeats
from shared.logs import configure_logs
from shared.memory import Room
from shared.model import Kind
from shared.settings import Settings
from shared.store import connect
from shared.wakeups import Bell, broker_url_for, doorbell_app


class Ingress(Flask):
    """Flask, told once what it would look up for every function that it calls in every request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function: none of ours is asynchronous."""
        return func


def create_app(settings: Settings, *, clock: Clock = now_ms) -> Flask:
    """Build the ingress; connects to the store when the first request needs it."""
    app = Ingress("api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default provider
    app.url_map.merge_slashes = False
    app.url_map.converters.update(anything=AnythingConverter, task_id=TaskIdConverter)
    app.extensions[EXTENSION] = create_services(settings, clock=clock)
    tracing.register(app)
    errors.register(app)
    for kind in (Kind.ITEMS, Kind.VARIATIONS):
        app.register_blueprint(items.create_blueprint(kind))
    app.register_blueprint(item_groups.blueprint)
    app.register_blueprint(item_groups_v1.blueprint)
    app.register_blueprint(items_v1.blueprint)
    app.register_blueprint(catalog_files.blueprint)
    app.register_blueprint(tasks.blueprint)
    app.register_blueprint(task_entries.blueprint)
    app.register_blueprint(exports.create_blueprint(settings))
    app.register_blueprint(changes.blueprint)
    app.register_blueprint(webhooks.blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    app.register_blueprint(documents.blueprint)
    dashboard.register(app, settings)
    return app


def create_services(settings: Settings, *, clock: Clock) -> Services:
    """Build what the views work with, and the FTPS service beside them."""
    if settings.redis_url is None:
        raise Misconfigured("SLUICE_REDIS_URL is not set; `make up` starts a server of its own and sets it")
    configure_logs(settings.log_level)
    client = connect(settings.redis_url)
    backlog = Backlog(client)
    broker_url = settings.broker_url or broker_url_for(settings.redis_url)
    return Services(
        client=client,
        export_files=ExportFiles(settings),
        settings=settings,
        credentials=Credentials(client, parse_credentials(_credentials(settings)), clock=clock),
        backlog=backlog,
        room=Room(client),
        durability=Durability(client, settings.durability),
        heartbeats=Heartbeats(client),
        bell=Bell(doorbell_app(broker_url), broker_url, needless=backlog.is_watched),
        clock=clock,
        waiters=Waiters(settings.threads),
    )


def _credentials(settings: Settings) -> str:
    text = settings.credentials or ""
    if settings.credentials_file is not None:
        try:
            text += "\n" + settings.credentials_file.read_text()
        except OSError as error:
            raise Misconfigured(f"SLUICE_CREDENTIALS_FILE cannot be read: {error}") from error
    return text
