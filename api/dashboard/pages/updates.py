"""The *Updates* page: the tasks of a catalog, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Blueprint, render_template, request, url_for

from api.dashboard.guard import readable
from api.dashboard.queries import UpdatesForm, read_form
from api.dashboard.visitors import visitor
from api.history.entry_histories import HistoryStep, entry_history
from api.services import current_services
from shared.model import Kind, Operation, Status
from shared.tasks.payloads import read_first_ids
from shared.tasks.records import QueuePosition, Task, TaskFilter
from shared.tasks.search import Found, TaskQuery, count_by_status, search_tasks

#: Tasks on a page.
PAGE = 50


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task in the list."""

    task: Task
    #: Where it stands, while it waits.
    place: QueuePosition | None = None
    #: Nobody goes on with it before an operator has looked.
    stuck: bool = False
    #: The ids of its first entries, as far as known.
    first_ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """The contents of the page."""

    rows: list[TaskRow] = field(default_factory=list)
    #: Of one entry, if that was searched for: what each task did with it.
    history: list[HistoryStep] = field(default_factory=list)
    #: Of which there is more before this task.
    history_before: int | None = None
    #: To go on with.
    before: int | None = None
    #: Records that a search looked at, if it gave up for now.
    looked_at: int | None = None
    #: Of one entry: its tasks by status.
    counted: dict[Status, int] | None = None


def register(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/c/<catalog_key>/updates", "get_updates", get_updates, methods=["GET"])


def get_updates(catalog_key: str) -> str:
    readable(catalog_key)
    form = read_form(UpdatesForm)
    query = _query(form)
    text = form["text"].strip()
    if text:
        listing = _search_text(catalog_key, text, query, form["before"])
    else:
        listing = _search(catalog_key, query, form["before"])
    tasks = current_services().tasks(catalog_key)
    counted, is_all = listing.counted or {}, True
    if not text and query.reads_records:
        counted, is_all = count_by_status(current_services().client, catalog_key, query)
    elif not text:
        # The indexes know moments and statuses.
        counted = tasks.page(replace(query.where, statuses=None), offset=0, size=0).by_status
    open_ones = any(row.task.status in (Status.QUEUED, Status.IN_PROGRESS) for row in listing.rows)
    is_empty = not (listing.rows or text or form["statuses"] or form["before"] or _is_filtered(form))
    return render_template(
        "updates.html",
        refused=current_services().refused_writes(catalog_key).count(),
        first_call=_first_call(catalog_key) if is_empty else None,
        may_write=visitor().may_write(catalog_key),
        catalog_key=catalog_key,
        page="updates",
        form=form,
        text=text,
        listing=listing,
        counted=counted,
        count_is_all=is_all,
        statuses=list(Status),
        kinds=list(Kind),
        operations=list(Operation),
        link=lambda **changes: _link(catalog_key, **changes),
        filtered=_is_filtered(form),
        live="watched" if form["watch"] else "busy" if open_ones or is_empty else "idle",
    )


def _query(form: dict[str, Any]) -> TaskQuery:
    return TaskQuery(
        where=TaskFilter(frozenset(form["statuses"]) or None, form["from_ms"], form["before_ms"]),
        kind=form["kind"],
        operation=form["operation"],
        section=form["section"].strip(),
        protocol=form["protocol"],
        submitter=form["submitter"].strip(),
    )


def _search(catalog_key: str, query: TaskQuery, before: int | None) -> Listing:
    found: Found = search_tasks(current_services().client, catalog_key, query, before=before, size=PAGE)
    gave_up = found.looked_at if found.before is not None and len(found.tasks) < PAGE else None
    return Listing(_rows(catalog_key, found.tasks), before=found.before, looked_at=gave_up)


def _search_text(catalog_key: str, text: str, query: TaskQuery, before: int | None) -> Listing:
    """Find the task of this id, whatever the filters say, and those of them that touched an entry of this id."""
    tasks = []
    if text.lstrip("#").isascii() and text.lstrip("#").isdigit() and len(text) <= 11:
        task = current_services().tasks(catalog_key).get(int(text.lstrip("#")))
        tasks = [task] if task else []
    history = entry_history(catalog_key, text, before=before, query=query)
    return Listing(_rows(catalog_key, tasks), history.lines, history.before, counted=history.by_status)


def _rows(catalog_key: str, tasks: list[Task]) -> list[TaskRow]:
    waiting = [task.id for task in tasks if task.status is Status.QUEUED]
    places = current_services().tasks(catalog_key).places(waiting) if waiting else {}
    begun = any(task.status is Status.IN_PROGRESS for task in tasks)
    stuck = begun and current_services().partition_state(catalog_key).stuck
    ids = read_first_ids(current_services().client, catalog_key, tasks)
    return [
        TaskRow(task, places.get(task.id), stuck and task.status is Status.IN_PROGRESS, ids.get(task.id, ()))
        for task in tasks
    ]


def _first_call(catalog_key: str) -> str:
    """Write a call of this ingress that sends an item to a catalog."""
    url = (current_services().settings.public_url or request.host_url).rstrip("/")
    return (
        f"curl -u tok_…: -X PUT '{url}/v2/items?key={catalog_key}' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        """  -d '{"items": [{"id": "sku-1", "name": "Blue shirt", "data": {"price": 19.90}}]}'"""
    )


def _link(catalog_key: str, **changes: Any) -> str:
    """Name this page with some parameters changed; None takes one out.  It begins with the newest again."""
    kept = {name: request.args.getlist(name) for name in request.args if name != "before"}
    wanted = {name: value for name, value in (kept | changes).items() if value not in (None, [], [""])}
    return url_for("dashboard.get_updates", catalog_key=catalog_key, **wanted)


def _is_filtered(form: dict[str, Any]) -> bool:
    """Return whether there is a filter without its own links or field."""
    return any(value for name, value in form.items() if name not in ("statuses", "text", "before", "watch"))
