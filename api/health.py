"""``/health`` and ``/version``: for load balancers and people, without a token."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, jsonify

from api import answer_schemas
from api.describing import Answer, Description, Tag, describe
from api.services import services
from shared.errors import StoreUnavailable

blueprint = Blueprint("health", __name__)

LIVE = Description(
    "Tell whether the process answers",
    Tag.SERVICE,
    {200: Answer("It does.", answer_schemas.Alive, {"status": "ok"})},
    public=True,
)
READY = Description(
    "Tell whether batches can be taken",
    Tag.SERVICE,
    {
        200: Answer(
            "They can. `degraded`: without a broker or workers they wait, and are applied later.",
            answer_schemas.Ready,
            {"status": "ok", "store": "ok", "broker": "ok", "workers": 2},
        ),
        503: Answer(
            "They cannot: the store is away.",
            answer_schemas.NotReady,
            {"status": "unavailable", "store": "away"},
        ),
    },
    public=True,
)
VERSION = Description(
    "Tell what runs here",
    Tag.SERVICE,
    {200: Answer("Name and version.", answer_schemas.Version, {"name": "sluice", "version": "0.1.0"})},
    public=True,
)


@blueprint.get("/health/live")
@describe(LIVE)
def live() -> Response:
    """Answer as long as the process can."""
    return jsonify(status="ok")


@blueprint.get("/health/ready")
@describe(READY)
def ready() -> Response | tuple[Response, int]:
    """Say whether batches can be taken: only without the store they cannot.

    Without a broker or workers they wait, and are applied later: ``degraded``, still 200.
    """
    tools = services()
    try:
        workers = tools.heartbeats.alive(tools.clock())
    except StoreUnavailable:
        return jsonify(status="unavailable", store="away"), 503
    parts: dict[str, Any] = {
        "store": "ok",
        "broker": "ok" if tools.bell.reachable() else "away",
        "workers": len(workers),
    }
    return jsonify(status="ok" if workers and parts["broker"] == "ok" else "degraded", **parts)


@blueprint.get("/version")
@describe(VERSION)
def get_version() -> Response:
    return jsonify(name="sluice", version=version("sluice"))
