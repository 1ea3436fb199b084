"""The *All updates* page: the tasks of all catalogs that the visitor may see, newest first."""

from __future__ import annotations

from flask import Blueprint, render_template

from api.dashboard.pages.updates import PAGE, TaskRow
from api.dashboard.queries import AllUpdatesForm, read_form
from api.dashboard.visitors import visitor
from api.services import current_services
from shared.model import TERMINAL, Status
from shared.tasks.newest_tasks import read_newest


def register(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/updates", "get_all_updates", get_all_updates, methods=["GET"])


def get_all_updates() -> str:
    who, form = visitor(), read_form(AllUpdatesForm)
    found = read_newest(
        current_services().client, who.catalog_keys(), status=form["status"], before_ms=form["before"], most=PAGE
    )
    open_ones = any(task.status not in TERMINAL for _, task in found.tasks)
    return render_template(
        "all_updates.html",
        page="all updates",
        form=form,
        statuses=list(Status),
        rows=[(catalog_key, TaskRow(task)) for catalog_key, task in found.tasks],
        before=found.before_ms,
        left_out=who.left_out(),
        live="watched" if form["watch"] else "busy" if open_ones else "idle",
    )
