"""``/health`` and ``/version``: for load balancers and people, without a token."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, jsonify

from api.openapi.describe import Answer, Description, Tag, describe
from api.service.answers import Alive, NotReady, Ready, Version
from api.services import current_services
from shared.errors import StoreUnavailable

blueprint = Blueprint("health", __name__)

LIVE = Description(
    "Check whether the process is alive",
    Tag.SERVICE,
    {200: Answer("It is alive.", Alive, {"status": "ok"})},
    public=True,
)
READY = Description(
    "Check whether batches are accepted",
    Tag.SERVICE,
    {
        200: Answer(
            "Batches are accepted. `degraded`: without a broker or workers they are queued and applied later.",
            Ready,
            {"status": "ok", "store": "ok", "broker": "ok", "workers": 2},
        ),
        503: Answer(
            "Batches are not accepted: the store is unreachable.",
            NotReady,
            {"status": "unavailable", "store": "away"},
        ),
    },
    public=True,
)
VERSION = Description(
    "Read name and version",
    Tag.SERVICE,
    {200: Answer("Name and version.", Version, {"name": "sluice", "version": "0.1.0"})},
    public=True,
)


@blueprint.get("/health/live")
@describe(LIVE)
def live() -> Response:
    """Respond as long as the process is alive."""
    return jsonify(status="ok")


@blueprint.get("/health/ready")
@describe(READY)
def ready() -> Response | tuple[Response, int]:
    """Report whether batches are accepted, which requires only the store.

    Without a broker or workers they are queued and applied later: ``degraded``, still 200.
    """
    services = current_services()
    try:
        workers = services.heartbeats.alive(services.clock())
    except StoreUnavailable:
        return jsonify(status="unavailable", store="away"), 503
    parts: dict[str, Any] = {
        "store": "ok",
        "broker": "ok" if services.doorbell.reachable() else "away",
        "workers": len(workers),
    }
    return jsonify(status="ok" if workers and parts["broker"] == "ok" else "degraded", **parts)


@blueprint.get("/version")
@describe(VERSION)
def get_version() -> Response:
    return jsonify(name="sluice", version=version("sluice"))
