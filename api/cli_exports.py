"""``sluice export``: a catalogue as a file."""

from __future__ import annotations

import getpass
import math
import socket
from datetime import datetime
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from api.cli_webhooks import key_argument
from api.export_links import export_filename
from api.exporting import make_export, request_export
from api.services import EXTENSION, Services
from shared.codec import encode_json
from shared.errors import SluiceError
from shared.model import CatalogPart, Status, Submitter
from shared.tasks import Task
from shared.waiting import wait_until


class ExportFailed(SluiceError):
    """An export did not end as DONE."""


@click.command("export")
@key_argument
@click.option("--section", default="Products", show_default=True, help="Which section; item groups lie in none.")
@click.option("--part", type=click.Choice([one.value for one in CatalogPart]), default="items", show_default=True)
@click.option("--since", type=click.DateTime(), help="Only what was changed at this moment (UTC) or since.")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="The file; by default it is named here.")
@with_appcontext
def export(catalog_key: str, section: str, part: str, since: datetime | None, to: Path | None) -> None:
    """Write a part of a catalogue to a gzip file of JSON lines, as it is once all tasks before have ended."""
    services: Services = current_app.extensions[EXTENSION]
    wish = {"type": "catalog_export", "section": section, "catalog_part": part, "from_timestamp": since}
    request = encode_json(wish)
    who = Submitter(f"{getpass.getuser()}@{socket.gethostname()}", "sluice export")
    batch = make_export(CatalogPart(part), section, since, request_bytes=len(request), submitter=who)
    asked = request_export(services, catalog_key, batch, request)
    if asked.repeated:
        raise ExportFailed(f"an export of {catalog_key} has not ended yet: task {asked.task_id}")
    click.echo(f"task {asked.task_id}: waits for its turn", err=True)
    task = _follow(services, catalog_key, asked.task_id)
    file = to or Path(export_filename(catalog_key, task))
    _fetch(services, catalog_key, task, file)
    click.echo(f"{file}: {task.entries_done} entries, {task.exported_bytes} bytes")


def _follow(services: Services, catalog_key: str, task_id: int) -> Task:
    tasks = services.tasks(catalog_key)
    wait_until(lambda: tasks.has_ended(task_id), "end of the export", timeout_s=math.inf)
    task = tasks.get(task_id)
    if task is None or task.status is not Status.DONE:
        raise ExportFailed(f"task {task_id} is {task.status if task else 'gone'}: {task and task.error}")
    return task


def _fetch(services: Services, catalog_key: str, task: Task, file: Path) -> None:
    """Copy the files; the one here is whole or not there."""
    half = file.with_name(file.name + ".part")
    names = services.exports(catalog_key).names(task.id)
    try:
        with half.open("wb") as out:
            for block in services.export_files.read(catalog_key, task.id, names):
                out.write(block)
        half.replace(file)
    finally:
        half.unlink(missing_ok=True)
