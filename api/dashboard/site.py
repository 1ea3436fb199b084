"""Create the blueprint of the Integration page."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, g, url_for

from api.dashboard import guard, login, words
from api.dashboard.guard import Cookies
from api.dashboard.pages import (
    all_updates,
    field_list,
    followers,
    guard_list,
    now,
    records,
    refused,
    sinks,
    tokens,
    update,
    updates,
    webhook_acts,
)
from api.dashboard.visitors import csrf_token
from api.errors import NotFound
from shared.settings import Settings

PREFIX = "/integration"
#: How long an idle visitor stays signed in.
SESSION = timedelta(hours=12)

_STATIC = Path(__file__).parent / "static"


def configure(app: Flask, settings: Settings) -> None:
    """Give an app the key of its sessions.

    Without SLUICE_SECRET_KEY they end with the process, and several processes do not know each other's.
    """
    app.secret_key = settings.secret_key or secrets.token_hex(32)


def register(app: Flask) -> None:
    """Add the Integration page to an app."""
    app.session_interface = Cookies()
    app.permanent_session_lifetime = SESSION
    app.config.update(
        SESSION_COOKIE_NAME="sluice_session",
        SESSION_COOKIE_PATH=PREFIX,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.register_blueprint(_create_blueprint())


def _create_blueprint() -> Blueprint:
    blueprint = Blueprint("dashboard", __name__, url_prefix=PREFIX, static_folder="static", template_folder="templates")
    guard.register(blueprint)
    words.register(blueprint)
    blueprint.context_processor(_context)
    for views in (
        login, now, all_updates, updates, update, records, field_list, guard_list, followers, webhook_acts, refused,
        sinks, tokens,
    ):  # fmt: skip
        views.register(blueprint)

    @blueprint.get("/<anything:path>")
    def get_nothing(path: str) -> str:
        """Respond with an HTML error page, not with the API's JSON."""
        raise NotFound(f"There is no page {PREFIX}/{path}")

    return blueprint


def _context() -> dict[str, Any]:
    """Return the names that every template may use."""
    return {"csrf_token": csrf_token, "asset": _asset, "visitor": g.get("visitor")}


def _asset(filename: str) -> str:
    """Name a file so that a browser keeps it for as long as it stays the same."""
    return url_for("dashboard.static", filename=filename, v=_VERSIONS[filename])


_VERSIONS = {file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:10] for file in sorted(_STATIC.iterdir())}
