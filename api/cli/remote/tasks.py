"""``sluice tasks``: what became of batches and files; cancel and re-run them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import click
import msgspec

from api.cli.output import as_json, json_option, line, table
from api.cli.remote.changed_fields import ChangedField, changes_text
from api.cli.remote.ingress import IngressClient, with_ingress
from shared.codec import encode_json
from shared.model import TERMINAL, Status
from shared.tasks.reports import EntryOutcome
from shared.waiting import wait_until

#: Most tasks on a page of the API.
PAGE = 100
#: Most entries on a page of a report.
REPORT_PAGE = 100


class _EntryLine(msgspec.Struct):
    """What became of an entry."""

    index: int
    outcome: str
    id: str | None
    reason: str = ""
    changes: list[ChangedField] = []
    before_known: bool = False


class _Report(msgspec.Struct):
    #: Each as JSON, whose numbers keep their digits.
    entries: list[msgspec.Raw]


@click.group()
def tasks() -> None:
    """Look at tasks, cancel and re-run them, over HTTP."""


@tasks.command("list")
@with_ingress
@click.option("--status", multiple=True, type=click.Choice(list(Status)), help="Only these; repeatable.")
@click.option("--most", default=20, show_default=True, type=click.IntRange(1), help="Number of tasks to show.")
@json_option
def list_tasks(ingress: IngressClient, status: tuple[str, ...], most: int, json: bool) -> None:
    """List the newest tasks."""
    found = [task for task, _ in zip(_newest_first(ingress, status=status), range(most), strict=False)]
    if json:
        as_json(found)
    else:
        table(["ID", "STATUS", "SUBMITTED", "ENTRIES", "BY", "FILE", "ERROR"], [_row(task) for task in found])


@tasks.command("show")
@with_ingress
@click.argument("task_id", metavar="ID", type=click.IntRange(1))
@click.option("--wait", default=0, metavar="SECONDS", type=click.IntRange(0, 30), help="Wait so long for its end.")
def show_task(ingress: IngressClient, task_id: int, wait: int) -> None:
    """Print a task as JSON."""
    as_json(ingress.text("GET", f"/v1/tasks/{task_id}", wait=wait or None))


@tasks.command("entries")
@with_ingress
@click.argument("task_id", metavar="ID", type=click.IntRange(1))
@click.option(
    "--outcome", type=click.Choice([str(outcome) for outcome in EntryOutcome]), help="Only entries with this outcome."
)
@json_option
def list_entries(ingress: IngressClient, task_id: int, outcome: str | None, json: bool) -> None:
    """List what became of each entry of a task, and what it changed."""
    found: list[msgspec.Raw] = []
    while True:
        text = ingress.text(
            "GET",
            f"/v1/tasks/{task_id}/entries",
            outcome=outcome,
            changes="true",
            offset=len(found),
            num_results_per_page=REPORT_PAGE,
        )
        page = msgspec.json.decode(text, type=_Report).entries
        found += page
        if len(page) < REPORT_PAGE:
            break
    if json:
        as_json(msgspec.json.encode(found))
    else:
        rows = [_entry_row(msgspec.json.decode(one, type=_EntryLine)) for one in found]
        table(["INDEX", "OUTCOME", "ID", "CHANGES OR REASON"], rows)


@tasks.command("cancel")
@with_ingress
@click.argument("task_id", metavar="ID", type=click.IntRange(1))
@json_option
def cancel_task(ingress: IngressClient, task_id: int, json: bool) -> None:
    """Cancel a task that still waits."""
    task = _change(ingress, task_id, Status.CANCELED)
    as_json(task) if json else click.echo(f"task {task['id']}: {task['status']}")


@tasks.command("retry")
@with_ingress
@click.argument("task_id", metavar="ID", type=click.IntRange(1))
@click.option("--force", is_flag=True, help="Past the safeguard and what guards say about shares.")
@click.option("--force-reason", default="", help="Why, for those who look at the task later.")
@json_option
def retry_task(ingress: IngressClient, task_id: int, force: bool, force_reason: str, json: bool) -> None:
    """Submit an ended task again, as a new task at the end of the queue."""
    task = _change(ingress, task_id, Status.QUEUED, force=force, force_reason=force_reason)
    as_json(task) if json else click.echo(f"task {task['id']}: accepted, re-run of {task_id}")


@tasks.command("tail")
@with_ingress
@click.option("--last", default=10, show_default=True, type=click.IntRange(0, PAGE), help="Begin with so many.")
@json_option
def tail_tasks(ingress: IngressClient, last: int, json: bool) -> None:
    """Print tasks as they are accepted, begin and end, until Ctrl-C."""
    recent = ingress.call("GET", "/v1/tasks", num_results_per_page=PAGE)["tasks"]
    seen: dict[int, str] = {task["id"]: task["status"] for task in recent}
    changed = recent[:last][::-1]
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            for task in changed:
                seen[task["id"]] = task["status"]
                as_json(task, lines=True) if json else line(*_row(task))
            changed = wait_until(partial(_changes, ingress, seen), "a change", timeout_s=math.inf, every_s=1.0)


def _changes(ingress: IngressClient, seen: dict[int, str]) -> list[dict[str, Any]]:
    """List the tasks that are new or have another status than seen, oldest first."""
    going = [task_id for task_id, status in seen.items() if Status(status) not in TERMINAL]
    oldest = min(going, default=max(seen, default=0) + 1)
    changed = []
    for task in _newest_first(ingress):
        if task["id"] < oldest:
            break
        if seen.get(task["id"]) != task["status"]:
            changed.append(task)
    return changed[::-1]


def _newest_first(ingress: IngressClient, status: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    before = None
    while True:
        page = ingress.call("GET", "/v1/tasks", num_results_per_page=PAGE, before=before, status=status)["tasks"]
        yield from page
        if len(page) < PAGE:
            return
        before = page[-1]["id"]


def _change(ingress: IngressClient, task_id: int, status: Status, **how: Any) -> dict[str, Any]:
    body, headers = encode_json({"status": status, **how}), {"Content-Type": "application/json"}
    return dict(ingress.call("PATCH", f"/v1/tasks/{task_id}", body, headers=headers))


def _entry_row(entry: _EntryLine) -> list[str]:
    said = entry.reason or changes_text(entry.changes, known=entry.before_known)
    return [str(entry.index), entry.outcome, entry.id or "-", said or "-"]


def _row(task: dict[str, Any]) -> list[str]:
    done, total = task["progress"]["entries_applied"], task["progress"]["entries_total"]
    return [
        str(task["id"]),
        task["status"],
        task["submission_time"],
        f"{done}" if done == total else f"{done}/{total}",
        task.get("submitted_by", {}).get("token_name") or "-",
        task["filename"],
        (task.get("error") or {}).get("message") or "-",
    ]
