"""*Updates*: the tasks of a catalog, newest first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, render_template, request, url_for

from api.dashboard.guard import readable
from api.dashboard.histories import Line, entry_history
from api.dashboard.queries import UpdatesForm, read_form
from api.days import between_days
from api.services import services
from shared.model import Kind, Operation, Status
from shared.task_search import Found, TaskQuery, search_tasks
from shared.tasks import Place, Task

#: Tasks on a page.
PAGE = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One task in the list."""

    task: Task
    #: Where it stands, while it waits.
    place: Place | None = None
    #: Nobody goes on with it before an operator has looked.
    stuck: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """What the page shows."""

    rows: list[Row] = field(default_factory=list)
    #: Of one entry, if that was searched for: what each task did with it.
    history: list[Line] = field(default_factory=list)
    #: Of which there is more before this task.
    history_before: int | None = None
    #: To go on with.
    before: int | None = None
    #: Records that a search looked at, if it gave up for now.
    looked_at: int | None = None


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
    tasks = services().tasks(catalog_key)
    # Counts come from the indexes, which know moments and statuses only.
    everything = between_days(form["first_day"], form["last_day"])
    counted = None if query.reads_records or text else tasks.page(everything, offset=0, size=0).by_status
    open_ones = any(row.task.status in (Status.QUEUED, Status.IN_PROGRESS) for row in listing.rows)
    return render_template(
        "updates.html",
        catalog_key=catalog_key,
        page="updates",
        form=form,
        text=text,
        listing=listing,
        counted=counted,
        statuses=list(Status),
        kinds=list(Kind),
        operations=list(Operation),
        link=lambda **changes: _link(catalog_key, **changes),
        filtered=_is_filtered(form),
        live="busy" if open_ones else "idle",
    )


def _query(form: dict[str, Any]) -> TaskQuery:
    return TaskQuery(
        where=between_days(form["first_day"], form["last_day"], frozenset(form["statuses"])),
        kind=form["kind"],
        operation=form["operation"],
        section=form["section"].strip(),
        protocol=form["protocol"],
        submitter=form["submitter"].strip(),
    )


def _search(catalog_key: str, query: TaskQuery, before: int | None) -> Listing:
    found: Found = search_tasks(services().client, catalog_key, query, before=before, size=PAGE)
    gave_up = found.looked_at if found.before is not None and len(found.tasks) < PAGE else None
    return Listing(_rows(catalog_key, found.tasks), before=found.before, looked_at=gave_up)


def _search_text(catalog_key: str, text: str, query: TaskQuery, before: int | None) -> Listing:
    """Find the task of this id, whatever the filters say, and those of them that touched an entry of this id."""
    tasks = []
    if text.lstrip("#").isascii() and text.lstrip("#").isdigit() and len(text) <= 11:
        task = services().tasks(catalog_key).get(int(text.lstrip("#")))
        tasks = [task] if task else []
    history = entry_history(catalog_key, text, before=before, query=query)
    return Listing(_rows(catalog_key, tasks), history.lines, history.before)


def _rows(catalog_key: str, tasks: list[Task]) -> list[Row]:
    waiting = [task.id for task in tasks if task.status is Status.QUEUED]
    places = services().tasks(catalog_key).places(waiting) if waiting else {}
    begun = any(task.status is Status.IN_PROGRESS for task in tasks)
    stuck = begun and services().partition(catalog_key).state().stuck
    return [Row(task, places.get(task.id), stuck and task.status is Status.IN_PROGRESS) for task in tasks]


def _link(catalog_key: str, **changes: Any) -> str:
    """Name this page with some parameters changed; None takes one out.  It begins with the newest again."""
    kept = {name: request.args.getlist(name) for name in request.args if name != "before"}
    wanted = {name: value for name, value in (kept | changes).items() if value not in (None, [], [""])}
    return url_for("dashboard.get_updates", catalog_key=catalog_key, **wanted)


def _is_filtered(form: dict[str, Any]) -> bool:
    """Tell whether anything is filtered by that has neither links nor a field of its own."""
    return any(value for name, value in form.items() if name not in ("statuses", "text", "before"))
