"""The *Sinks* page: the databases and search engines that a catalog is delivered to, and how far they are.

Addresses and errors name private hosts: only the operator sees them, and only the operator changes anything.
"""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.dashboard.guard import readable
from api.dashboard.visitors import visitor
from api.errors import Forbidden, NotFound
from api.services import current_services
from shared.sinks.sink_lease import read_dead_letters
from shared.sinks.sink_reports import report_sinks
from shared.sinks.sinks import BadSink, Sinks

#: Most dead letters listed of a sink.
DEAD_LETTERS = 20
#: What the operator may ask for: a method of `Sinks`.
ACTIONS = {"pause": Sinks.pause, "resume": Sinks.resume, "resync": Sinks.resync, "retry": Sinks.retry}


def register(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/c/<catalog_key>/sinks", "get_sinks", get_sinks, methods=["GET"])
    blueprint.add_url_rule("/c/<catalog_key>/sinks/<name>/<action>", "post_sink", post_sink, methods=["POST"])


def get_sinks(catalog_key: str) -> str:
    readable(catalog_key)
    services = current_services()
    reports = report_sinks(services.client, services.clock(), catalog_key=catalog_key)
    return render_template(
        "sinks.html",
        catalog_key=catalog_key,
        page="sinks",
        reports=reports,
        letters={
            report.name.name: read_dead_letters(services.client, report.name)[:DEAD_LETTERS]
            for report in reports
            if report.state.dead
        },
        is_operator=visitor().credential is None,
        live="idle",
    )


def post_sink(catalog_key: str, name: str, action: str) -> AnyResponse:
    readable(catalog_key)
    if visitor().credential is not None:
        raise Forbidden("Only the operator may change sinks.")
    if action not in ACTIONS:
        raise NotFound(f"There is nothing called {action!r} to be done with a sink.")
    try:
        ACTIONS[action](Sinks(current_services().client, catalog_key), name)
    except BadSink as problem:
        raise NotFound(str(problem)) from None
    return redirect(url_for("dashboard.get_sinks", catalog_key=catalog_key), 303)
