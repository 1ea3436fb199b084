"""Sign in and out, and find a catalog."""

from __future__ import annotations

import structlog
from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.dashboard.guard import Attempts, readable
from api.dashboard.visitors import recognize, sign_in, sign_out, visitor
from api.services import services

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
    attempts = _attempts()
    address = request.remote_addr or ""
    if not attempts.may_try(address):
        problem, status = "Too many attempts. Please wait a minute.", 429
    elif sign_in(request.form.get("secret", "").strip()):
        return redirect(_after_login())
    else:
        attempts.failed(address)
        log.warning("sign-in refused", action="sign_in", address=address)
        problem, status = "This is no token that is in use, nor the operator's password.", 403
    return render_template("login.html", after=request.form.get("next", ""), problem=problem), status


def post_logout() -> View:
    sign_out()
    return redirect(url_for("dashboard.get_login"))


def get_start() -> View:
    if only := visitor().only_catalog():
        return redirect(url_for("dashboard.get_updates", catalog_key=only))
    return redirect(url_for("dashboard.get_now"))


def go() -> View:
    """Go to the catalog whose key was typed in, staying on the same kind of page."""
    catalog_key = readable(request.args.get("catalog_key", "").strip())
    page = "get_catalog" if request.args.get("page") == "catalog" else "get_updates"
    return redirect(url_for(f"dashboard.{page}", catalog_key=catalog_key))


def _after_login() -> str:
    """Name the page that was asked for before, if it is one of ours."""
    start = url_for("dashboard.get_start")
    wanted = request.values.get("next", "")
    return wanted if wanted.startswith(start) and "\\" not in wanted and "//" not in wanted else start


def _attempts() -> Attempts:
    attempts: Attempts = current_app.extensions.setdefault("sluice.attempts", Attempts(services().clock))
    return attempts
