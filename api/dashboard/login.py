"""Sign in and out, and find a catalog."""

from __future__ import annotations

import structlog
from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.dashboard.guard import UNGUESSABLE, Attempts, network_of, readable
from api.dashboard.visitors import recognize, sign_in, sign_out, visitor
from api.services import current_services

log = structlog.get_logger()

View = AnyResponse | str | tuple[str, int]


def register(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/login", "get_login", get_login, methods=["GET"])
    blueprint.add_url_rule("/login", "post_login", post_login, methods=["POST"])
    blueprint.add_url_rule("/logout", "post_logout", post_logout, methods=["POST"])
    blueprint.add_url_rule("/", "get_start", get_start, methods=["GET"])
    blueprint.add_url_rule("/go", "go", go, methods=["GET"])
    # without the slash, and without a redirect that the app as a whole does not make
    blueprint.add_url_rule("", "get_start_bare", get_start, methods=["GET"])


def get_login() -> View:
    if recognize() is not None:
        return redirect(_after_login())
    return render_template("login.html", after=request.args.get("next", ""))


def post_login() -> View:
    attempts, address = _attempts(), network_of(request.remote_addr or "")
    secret, may_try = request.form.get("secret", "").strip(), attempts.may_try(address)
    if (may_try or len(secret) >= UNGUESSABLE) and sign_in(secret):
        return redirect(_after_login())
    if not may_try:
        problem, status = "Too many attempts. Please wait a minute.", 429
    else:
        attempts.failed(address)
        log.warning("sign-in refused", action="sign_in", address=address)
        problem, status = "This is neither a valid token nor the operator's password.", 403
    return render_template("login.html", after=request.form.get("next", ""), problem=problem), status


def post_logout() -> View:
    sign_out()
    return redirect(url_for("dashboard.get_login"))


def get_start() -> View:
    if only := visitor().only_catalog():
        return redirect(url_for("dashboard.get_updates", catalog_key=only))
    return redirect(url_for("dashboard.get_now"))


def go() -> View:
    """Go to the catalog whose key was entered, on the same kind of page."""
    catalog_key = readable(request.args.get("catalog_key", "").strip())
    page = request.args.get("page")
    page = page if page in ("catalog", "fields", "guards", "followers", "sinks", "tokens") else "updates"
    return redirect(url_for(f"dashboard.get_{page}", catalog_key=catalog_key))


def _after_login() -> str:
    """Return the page requested before signing in, if it is one of ours."""
    start = url_for("dashboard.get_start")
    wanted = request.values.get("next", "")
    ours = wanted.startswith(start) and wanted.isprintable() and "\\" not in wanted and "//" not in wanted
    return wanted if ours else start


def _attempts() -> Attempts:
    attempts: Attempts = current_app.extensions.setdefault("sluice.attempts", Attempts(current_services().clock))
    return attempts
