"""The page of one update: a task, its payload and the outcome of each entry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec
from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.dashboard.guard import readable, writable
from api.dashboard.queries import EntriesForm, read_form
from api.dashboard.visitors import visitor
from api.errors import NotFound
from api.exports.links import export_url
from api.history.entry_changes import changes_in
from api.history.sent_entries import SentEntries, SentEntry
from api.history.states import Changes
from api.services import current_services
from api.tasks.cancel_rerun import change_tasks
from api.tasks.ids import read_task_id
from shared.guards.verdict import FORCE
from shared.model import TERMINAL, Form, Status
from shared.partition.submissions import TaskChange
from shared.tasks.payloads import PayloadGone
from shared.tasks.records import Task
from shared.tasks.reports import EntryOutcome, ReportedEntry

#: Entries on a page.
PAGE = 25
#: Most warnings shown; the others are counted.
WARNINGS = 50

_MEDIA_TYPES = {Form.JSON: "application/json", Form.NDJSON: "application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class EntryLine:
    """An entry with what was sent and its outcome, as far as kept."""

    sent: SentEntry | None
    reported: ReportedEntry | None
    #: Of an entry that was updated, as far as that can be told.
    changes: Changes | None = None


@dataclass(frozen=True, slots=True)
class Entries:
    """A page of a task's entries."""

    lines: list[EntryLine]
    total: int
    by_outcome: dict[EntryOutcome, int]
    #: A search goes on from this chunk.
    next_chunk: int | None = None
    gone: bool = False


def register(blueprint: Blueprint) -> None:
    task = "/c/<catalog_key>/updates/<task_id>"
    blueprint.add_url_rule(task, "get_update", get_update, methods=["GET"])
    blueprint.add_url_rule(f"{task}/payload", "get_payload", get_payload, methods=["GET"])
    blueprint.add_url_rule(f"{task}/cancel", "post_cancel", post_cancel, methods=["POST"])
    blueprint.add_url_rule(f"{task}/rerun", "post_rerun", post_rerun, methods=["POST"])


def get_update(catalog_key: str, task_id: str) -> str:
    task = _task(catalog_key, task_id)
    form = read_form(EntriesForm)
    services = current_services()
    place = None
    if task.status is Status.QUEUED:
        place = services.tasks(catalog_key).places([task.id]).get(task.id)
    ended = task.status in TERMINAL
    warnings: list[dict[str, Any]] = msgspec.json.decode(task.warnings)
    entries = _with_changes(catalog_key, task, _entries(catalog_key, task, form))
    return render_template(
        "update.html",
        catalog_key=catalog_key,
        page="updates",
        task=task,
        place=place,
        stuck=task.status is Status.IN_PROGRESS and services.partition_state(catalog_key).stuck,
        workers=None if ended else len(services.heartbeats.alive(services.clock())),
        warnings=warnings[:WARNINGS],
        more_warnings=max(0, len(warnings) - WARNINGS),
        form=form,
        entries=entries,
        guarded=not task.batch.force and FORCE in (task.error or ""),
        planned=msgspec.json.decode(task.planned) if task.planned else {},
        export_url=_export_url(catalog_key, task),
        ended=ended,
        may_write=visitor().may_write(catalog_key),
        page_size=PAGE,
        live="ended" if ended else "busy",
    )


def _export_url(catalog_key: str, task: Task) -> str | None:
    kept = task.expires_ms is not None and current_services().clock() < task.expires_ms
    return export_url(catalog_key, task) if kept else None


def get_payload(catalog_key: str, task_id: str) -> Response:
    """Send the payload, byte for byte."""
    task = _task(catalog_key, task_id)
    try:
        texts = current_services().payloads(catalog_key).texts(task)
    except PayloadGone:
        raise NotFound(f"The payload of task {task.id} is no longer kept.") from None
    answer = Response(texts, mimetype=_MEDIA_TYPES[task.batch.form])
    filename = f"{catalog_key}-task-{task.id}.{task.batch.form}"
    answer.headers.set("Content-Disposition", "attachment", filename=filename)
    return answer


def post_cancel(catalog_key: str, task_id: str) -> AnyResponse:
    return _change(catalog_key, task_id, TaskChange.CANCEL)


def post_rerun(catalog_key: str, task_id: str) -> AnyResponse:
    reason = request.form.get("force_reason", "").strip()[:200]
    return _change(catalog_key, task_id, TaskChange.RERUN, force_reason=reason if "force" in request.form else None)


def _change(catalog_key: str, task_id: str, change: TaskChange, *, force_reason: str | None = None) -> AnyResponse:
    number = read_task_id(task_id)
    forced = {} if force_reason is None else {number: force_reason}
    [now_id] = change_tasks(writable(catalog_key), [(number, change)], who=visitor().name, forced=forced).ids
    return redirect(url_for("dashboard.get_update", catalog_key=catalog_key, task_id=now_id), 303)


def _task(catalog_key: str, task_id: str) -> Task:
    number = read_task_id(task_id)
    task = current_services().tasks(readable(catalog_key)).get(number)
    if task is None:
        raise NotFound(f"There is no update {number} in this catalog, or no longer.")
    return task


def _entries(catalog_key: str, task: Task, form: dict[str, Any]) -> Entries:
    sent = SentEntries(current_services().payloads(catalog_key), task)
    if form["text"]:
        return _found(catalog_key, task, sent, form)
    report = current_services().reports(catalog_key).page(task, only=form["outcome"], offset=form["offset"], size=PAGE)
    if form["outcome"] is not None or report.total == task.batch.entries:
        lines = [EntryLine(_one(sent, entry.index), entry) for entry in report.entries]
        return Entries(lines, report.total, report.by_outcome, gone=any(line.sent is None for line in lines))
    # Not all have an outcome yet: show them all, with those that are known.
    known = {entry.index: entry for entry in report.entries}
    indexes = range(task.batch.entries)[form["offset"] : form["offset"] + PAGE]
    lines = [EntryLine(_one(sent, index), known.get(index)) for index in indexes]
    return Entries(lines, task.batch.entries, report.by_outcome, gone=any(line.sent is None for line in lines))


def _with_changes(catalog_key: str, task: Task, entries: Entries) -> Entries:
    updated = [
        line.sent
        for line in entries.lines
        if line.sent and line.reported and line.reported.outcome is EntryOutcome.UPDATED
    ]
    changes = changes_in(catalog_key, task, updated)
    lines = [replace(line, changes=changes.get(line.sent.index) if line.sent else None) for line in entries.lines]
    return replace(entries, lines=lines)


def _found(catalog_key: str, task: Task, sent: SentEntries, form: dict[str, Any]) -> Entries:
    reports = current_services().reports(catalog_key)
    by_outcome = reports.page(task, only=None, offset=0, size=0).by_outcome
    try:
        found, next_chunk = sent.search(form["text"], chunk=form["chunk"], most=PAGE)
    except PayloadGone:
        return Entries([], 0, by_outcome, gone=True)
    lines = []
    for entry in found:
        reported = reports.page(task, only=None, offset=entry.index, size=1).entries
        lines.append(EntryLine(entry, reported[0] if reported else None))
    return Entries(lines, len(lines), by_outcome, next_chunk)


def _one(sent: SentEntries, index: int) -> SentEntry | None:
    try:
        return sent.one(index)
    except PayloadGone:
        return None
