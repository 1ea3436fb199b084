"""``sluice export``: write a catalogue to a file."""

from __future__ import annotations

import getpass
import math
import os
import socket
from datetime import datetime
from pathlib import Path

import click
from flask.cli import with_appcontext

from api.cli.catalog_key import key_argument
from api.cli.context import check_known
from api.cli.output import as_json, json_option
from api.exports.links import export_filename
from api.exports.request import make_export, request_export
from api.services import Services, current_services
from shared.codec import encode_json
from shared.errors import SluiceError
from shared.files.file_format import FileFormat
from shared.model import CatalogPart, Status
from shared.origin import Origin, Submitter
from shared.tasks.records import Task
from shared.waiting import wait_until


class ExportFailed(SluiceError):
    """The export did not end as DONE."""


@click.command("export")
@key_argument
@click.option("--section", default="Products", show_default=True, help="The section; item groups have none.")
@click.option("--part", type=click.Choice([one.value for one in CatalogPart]), default="items", show_default=True)
@click.option(
    "--format",
    "form",
    type=click.Choice([one.value for one in FileFormat]),
    default=FileFormat.JSONL.value,
    show_default=True,
    help="The file's format; CSV has the columns of an upload.",
)
@click.option("--since", type=click.DateTime(), help="Only entries changed at this time (UTC) or later.")
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file; by default it is named after the export, in this folder.",
)
@json_option
@with_appcontext
def export(
    catalog_key: str, section: str, part: str, form: str, since: datetime | None, to: Path | None, json: bool
) -> None:
    """Export a part of a catalogue to a gzip file of JSON lines or CSV, in its turn after all earlier tasks."""
    services = current_services()
    check_known(catalog_key)
    _check_place(to)
    if form == FileFormat.CSV and part == CatalogPart.ITEMS_WITH_VARIATIONS:
        raise click.UsageError("a CSV file has entries of one kind; export items and variations each")
    options = {"type": "catalog_export", "section": section, "catalog_part": part, "format": form}
    request = encode_json(options | {"from_timestamp": since})
    who = Origin(Submitter(f"{getpass.getuser()}@{socket.gethostname()}", "sluice export"))
    batch = make_export(CatalogPart(part), section, since, FileFormat(form), request_bytes=len(request), origin=who)
    requested = request_export(services, catalog_key, batch, request)
    if requested.repeated:
        raise ExportFailed(f"an export of {catalog_key} has not ended yet: task {requested.task_id}")
    click.echo(f"task {requested.task_id}: queued", err=True)
    task = _follow(services, catalog_key, requested.task_id)
    file = to or Path(export_filename(catalog_key, task))
    _fetch(services, catalog_key, task, file)
    if json:
        as_json({"file": str(file), "task_id": task.id, "entries": task.entries_done, "bytes": task.exported_bytes})
    else:
        click.echo(f"{file}: {task.entries_done} entries, {task.exported_bytes} bytes")


def _check_place(file: Path | None) -> None:
    """Raise BadParameter before anything is requested for, if the file could not be written in the end."""
    folder = file.absolute().parent if file else Path.cwd()
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise click.BadParameter(f"{folder} is no folder that can be written to", param_hint="--to")


def _follow(services: Services, catalog_key: str, task_id: int) -> Task:
    tasks = services.tasks(catalog_key)
    wait_until(lambda: tasks.has_ended(task_id), "end of the export", timeout_s=math.inf)
    task = tasks.get(task_id)
    if task is None or task.status is not Status.DONE:
        raise ExportFailed(f"task {task_id} is {task.status if task else 'gone'}: {task and task.error}")
    return task


def _fetch(services: Services, catalog_key: str, task: Task, file: Path) -> None:
    """Copy the export to a local file, which is complete or absent."""
    half = file.with_name(file.name + ".part")
    names = services.exports(catalog_key).names(task.id)
    try:
        with half.open("wb") as out:
            for block in services.export_files.read(catalog_key, task.id, names):
                out.write(block)
        half.replace(file)
    finally:
        half.unlink(missing_ok=True)
