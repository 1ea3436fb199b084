"""Create the Flask application of the ingress (its composition root)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from werkzeug.routing import MapAdapter

from api import errors
from api.dashboard import site as dashboard
from api.exports import views as exports
from api.files import views as catalog_files
from api.follow import changes, deliveries, named_cursors, webhooks
from api.guards import views as guards
from api.history import views as history
from api.http import idempotency, refused_writes, request_ids
from api.http.converters import AnythingConverter
from api.openapi import views as documents
from api.service import health, metrics
from api.services import EXTENSION, create_services
from api.tasks import older_clients
from api.tasks import outcomes as task_entries
from api.tasks import views as tasks
from api.tasks.ids import TaskIdConverter
from api.v1 import field_stats
from api.v1 import item_groups as item_groups_v1
from api.v1 import items as items_v1
from api.v2 import item_groups, items
from shared.clock import Clock, now_ms
from shared.model import Kind
from shared.settings import Settings


class Ingress(Flask):
    """Flask without what costs time at each request and is of no use here."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function unchanged: none of ours is asynchronous."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Bind the routes to a request; none of them depends on its host, which Flask would read twice."""
        if request is None:
            return None
        environ = request.environ
        path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
        query = environ["QUERY_STRING"].encode("latin-1").decode(errors="replace")
        return MapAdapter(
            self.url_map,
            request.host,
            environ["SCRIPT_NAME"] or "/",
            subdomain="",
            url_scheme=environ["wsgi.url_scheme"],
            path_info=path,
            default_method=environ["REQUEST_METHOD"],
            query_args=query,
        )


def create_app(settings: Settings, *, clock: Clock = now_ms) -> Flask:
    """Create the ingress; it connects to the store when the first request needs it."""
    app = create_routes()
    configure(app, settings, clock=clock)
    return app


def configure(app: Flask, settings: Settings, *, clock: Clock) -> None:
    """Give routes what the settings say, and the services that they work with."""
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.extensions[EXTENSION] = create_services(settings, clock=clock)
    refused_writes.begin(app)
    dashboard.configure(app, settings)


def create_routes() -> Flask:
    """Create the ingress but for what `configure` gives it."""
    app = Ingress("api", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default provider
    app.url_map.merge_slashes = False
    app.url_map.converters.update(anything=AnythingConverter, task_id=TaskIdConverter)
    request_ids.register(app)
    errors.register(app)
    idempotency.register(app)
    refused_writes.register(app)
    for kind in (Kind.ITEMS, Kind.VARIATIONS):
        app.register_blueprint(items.create_blueprint(kind))
    for part in (
        exports,
        item_groups,
        item_groups_v1,
        items_v1,
        catalog_files,
        tasks,
        older_clients,
        task_entries,
        guards,
        field_stats,
        history,
        changes,
        named_cursors,
        webhooks,
        deliveries,
        health,
        metrics,
        documents,
    ):
        app.register_blueprint(part.blueprint)
    dashboard.register(app)
    return app
