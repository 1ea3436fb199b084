"""``/health`` and ``/version``: for load balancers and people, without a token."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, jsonify

from api.services import services
from shared.errors import StoreUnavailable

blueprint = Blueprint("health", __name__)


@blueprint.get("/health/live")
def live() -> Response:
    """Answer as long as the process can."""
    return jsonify(status="ok")


@blueprint.get("/health/ready")
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
def get_version() -> Response:
    return jsonify(name="sluice", version=version("sluice"))
