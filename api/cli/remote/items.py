"""``sluice items``: what happened to an item, variation or item group."""

from __future__ import annotations

from urllib.parse import quote

import click
import msgspec

from api.cli.output import as_json, json_option, table
from api.cli.remote.changed_fields import ChangedField, changes_text
from api.cli.remote.entries import get, kind_option, section_option
from api.cli.remote.ingress import IngressClient, with_ingress

#: Tasks on a page of the API.
PAGE = 20


class _Step(msgspec.Struct):
    """What one task did."""

    task_id: int
    status: str
    operation: str
    submission_time: str
    token_name: str | None
    outcome: str | None
    named: bool
    changes: list[ChangedField] | None
    before_known: bool
    reason: str = ""


class _Page(msgspec.Struct):
    #: Each step as JSON.
    history: list[msgspec.Raw]
    next_before: int | None = None


@click.group()
def items() -> None:
    """Look at an entry and its history, over HTTP."""


items.add_command(get)


@items.command("history")
@with_ingress
@click.argument("entry_id", metavar="ID")
@kind_option
@section_option
@click.option("--most", default=PAGE, show_default=True, type=click.IntRange(1), help="Number of tasks to show.")
@json_option
def show_history(ingress: IngressClient, entry_id: str, kind: str, section: str | None, most: int, json: bool) -> None:
    """Show which tasks touched an entry and what each changed, newest first."""
    path = f"/v1/history/{kind}/{quote(entry_id, safe='')}"
    before, left = None, most
    texts: list[msgspec.Raw] = []
    while left > 0:
        answer = ingress.text("GET", path, section=section, before=before, num_results_per_page=min(PAGE, left))
        page = msgspec.json.decode(answer, type=_Page)
        texts += page.history
        before, left = page.next_before, left - len(page.history)
        if before is None:
            break
    if json:
        as_json(msgspec.json.encode(texts))
    else:
        steps = [msgspec.json.decode(text, type=_Step) for text in texts]
        table(["TASK", "STATUS", "SUBMITTED", "BY", "WHAT", "OUTCOME", "CHANGES"], list(map(_row, steps)))


def _row(step: _Step) -> list[str]:
    outcome = step.outcome or ("-" if step.named else "along with others")
    by = step.token_name or "-"
    return [str(step.task_id), step.status, step.submission_time, by, step.operation, outcome, _changes(step)]


def _changes(step: _Step) -> str:
    if not step.changes or step.outcome == "deleted":
        return step.reason or "-"
    if step.outcome == "created":
        return f"{len(step.changes)} fields"
    return changes_text(step.changes, known=step.before_known)
