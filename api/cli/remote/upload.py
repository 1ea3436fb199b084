"""``sluice upload``: send catalogue files to a running ingress and follow their task."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from api.cli.output import as_json, json_option
from api.cli.remote.dry_run import refuse_if_it_would_fail, show_dry_run
from api.cli.remote.file_parts import FilePart, parts_of
from api.cli.remote.ingress import IngressClient, refuse_unless_done, with_ingress
from api.files.queries import Delimiter, SyncMode
from shared.model import TERMINAL, OnInvalid, OnMissing
from shared.nonces import new_nonce
from shared.waiting import wait_until


@click.command("upload")
@with_ingress
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--patch", is_flag=True, help="Replace the entries of the files and keep all others.")
@click.option("--patch-delta", is_flag=True, help="Change only the given fields.")
@click.option("--keep", is_flag=True, help="The files have ids only; delete all other entries.")
@click.option(
    "--on-missing",
    type=click.Choice(list(OnMissing)),
    help="With --patch-delta: what to do with ids that do not exist.",
)
@click.option("--on-invalid", type=click.Choice(list(OnInvalid)), help="What to do with rows that break the rules.")
@click.option(
    "--delimiter",
    type=click.Choice([one.value for one in Delimiter]),
    help="Character between the cells of CSV files.",
)
@click.option("--section", default="Products", show_default=True)
@click.option(
    "--force", is_flag=True, help="Waive the safeguard against deleting most of a section, and shares of guards."
)
@click.option("--force-reason", help="Why, for those who look at the task later.")
@click.option(
    "--notify", multiple=True, metavar="ADDRESS", help="Send an e-mail to ADDRESS if the task fails; repeatable."
)
@click.option("--follow", is_flag=True, help="Show the progress until the task ends.")
@click.option("--dry-run", is_flag=True, help="Only show what would become of the rows; exit with 1 if it would fail.")
@json_option
def upload(
    ingress: IngressClient,
    files: Sequence[Path],
    follow: bool,
    dry_run: bool,
    notify: Sequence[str],
    json: bool,
    **wish: Any,
) -> None:
    """Upload catalogue files of items, variations or item groups, or one archive of them, over HTTP.

    Name the files after their kind and format: items.csv, variations.jsonl.gz, catalog.tar.gz, or keep the name that
    `sluice export` chose. Entries that the files leave out are deleted, unless --patch or --patch-delta is given.
    """
    method, query = _request(**wish)
    parts = [part for file in files for part in parts_of(file)]
    with _progress() as progress:
        sending = progress.add_task("sent", total=sum(file.stat().st_size for file in files), unit="bytes")
        form = _Form(parts, lambda count: progress.advance(sending, count))
        query |= {"notification_email": list(notify)} | ({"dry_run": True} if dry_run else {})
        answer = ingress.call(method, "/v1/catalog", form.pieces(), headers=form.headers, **query)
        ended = _follow(ingress, answer["task_id"], progress) if follow and not dry_run else None
    if json:
        as_json(answer | ({"status": ended["status"]} if ended else {}))
    if ended:
        refuse_unless_done(ended)
    if json:
        return refuse_if_it_would_fail(answer)
    if dry_run:
        return show_dry_run(answer)
    click.echo(
        f"task {answer['task_id']}: " + (ended["status"] if ended else f"accepted, see {answer['task_status_path']}")
    )


def _request(
    *, patch: bool, patch_delta: bool, keep: bool, on_missing: str | None, **query: Any
) -> tuple[str, dict[str, Any]]:
    """Choose the method and the parameters.  Raises UsageError for options that contradict each other."""
    if patch + patch_delta + keep > 1:
        raise click.UsageError("--patch, --patch-delta and --keep are mutually exclusive")
    if on_missing and not patch_delta:
        raise click.UsageError("--on-missing requires --patch-delta; without it this is a full sync")
    asked = {name: value for name, value in query.items() if value is not None}
    if keep:
        asked["mode"] = SyncMode.IDS
    if patch_delta:
        asked |= {"patch_delta": True} | ({"on_missing": on_missing} if on_missing else {})
    return "PATCH" if patch or patch_delta else "PUT", asked


def _progress() -> Progress:
    done = TextColumn("{task.completed:,.0f} of {task.total:,.0f} {task.fields[unit]}")
    return Progress(
        TextColumn("{task.description}"), BarColumn(), done, TimeElapsedColumn(), console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )  # fmt: skip


def _follow(ingress: IngressClient, task_id: int, progress: Progress) -> dict[str, Any]:
    """Show the progress of a task until it ends, and return it."""
    applying = progress.add_task("applied", total=0, unit="entries")

    def ended() -> dict[str, Any] | None:
        task: dict[str, Any] = ingress.call("GET", f"/v1/tasks/{task_id}", wait=1)
        counted = task["progress"]
        progress.update(applying, total=counted["entries_total"], completed=counted["entries_applied"])
        return task if task["status"] in TERMINAL else None

    task = wait_until(ended, "end of the task", timeout_s=math.inf)
    assert task
    return task


class _Form:
    """Files as a multipart body that is read as it is sent."""

    def __init__(self, parts: Sequence[FilePart], sent: Callable[[int], None]) -> None:
        self._parts = parts
        self._sent = sent
        self._boundary = new_nonce()
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={self._boundary}",
            "Transfer-Encoding": "chunked",
        }

    def pieces(self) -> Iterator[bytes]:
        for part in self._parts:
            head = f'Content-Disposition: form-data; name="{part.name}"; filename="{part.filename}"'
            yield f"--{self._boundary}\r\n{head}\r\n\r\n".encode()
            yield from part.read(self._sent)
            yield b"\r\n"
        yield f"--{self._boundary}--\r\n".encode()
