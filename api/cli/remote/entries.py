"""``sluice put``, ``patch`` and ``delete``: send entries of a file as batches; ``sluice get`` prints one."""

from __future__ import annotations

import gzip
import itertools
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import msgspec
from msgspec import Raw
from rich.console import Console
from rich.progress import Progress

from api.cli.output import as_json, json_option
from api.cli.remote.ingress import IngressClient, IngressError, refuse_unless_done, with_ingress
from shared.model import TERMINAL, Kind, OnInvalid, OnMissing, Status
from shared.nonces import new_nonce
from shared.waiting import WaitedInVain, wait_until

#: Most bytes of a batch, unless one entry alone has more.
BATCH_BYTES = 8 * 1024 * 1024
#: Seconds between two attempts to send a batch.
PAUSE_S = 1.0
#: Longest time to go on repeating a batch that may be accepted later.
PATIENCE_S = 300.0
#: Seconds to wait for a task in one call.
WAIT_S = 30

_KINDS = [str(kind) for kind in Kind]
GZIP = ".gz"
kind_option = click.option("--kind", type=click.Choice(_KINDS), default=_KINDS[0], show_default=True)
section_option = click.option("--section", help="Section of items and variations; else Products.")
_Command = Callable[..., None]


def _sending(command: _Command) -> _Command:
    for add in (
        json_option,
        click.option("--follow", is_flag=True, help="Wait until all tasks have ended; fail if one is not DONE."),
        click.option("--batch", default=1000, show_default=True, type=click.IntRange(1), help="Entries of a batch."),
        click.option("--on-invalid", type=click.Choice(list(OnInvalid)), help="What to do with invalid entries."),
        section_option,
        kind_option,
        click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True), default="-"),
    ):
        command = add(command)
    return with_ingress(command)


@click.command("put")
@_sending
def put(ingress: IngressClient, **options: Any) -> None:
    """Create or replace the entries of FILE (`-`: standard input): NDJSON, a JSON list, or a body of the API."""
    _send(ingress, "PUT", **options)


@click.command("patch")
@_sending
@click.option("--on-missing", type=click.Choice(list(OnMissing)), help="What to do with ids that do not exist.")
def patch(ingress: IngressClient, **options: Any) -> None:
    """Change the given fields of the entries of FILE (`-`: standard input)."""
    _send(ingress, "PATCH", **options)


@click.command("delete")
@_sending
def delete(ingress: IngressClient, **options: Any) -> None:
    """Delete the entries of FILE (`-`: standard input), which needs only their ids: {"id": "sku-1"}."""
    _send(ingress, "DELETE", **options)


@click.command("get")
@with_ingress
@click.argument("entry_id", metavar="ID")
@kind_option
@section_option
def get(ingress: IngressClient, entry_id: str, kind: str, section: str | None) -> None:
    """Print an entry as JSON, as it is stored."""
    as_json(ingress.text("GET", f"/v2/{kind}/{quote(entry_id, safe='')}", section=section))


def _send(
    ingress: IngressClient, method: str, *, file: str, kind: str, batch: int, follow: bool, json: bool, **query: Any
) -> None:
    """Send a file in batches, each a task; a batch whose answer is lost is sent again and counts once."""
    size = Path(file).stat().st_size if Path(file).is_file() and not file.endswith(GZIP) else None
    task_ids: list[int] = []
    sent = 0
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("sent", total=size)
        for lines in _batches(_entries(file, kind), batch):
            body = b"\n".join(lines)
            headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": new_nonce()}
            try:
                answer = _patiently(partial(ingress.call, method, f"/v2/{kind}", body, headers=headers, **query))
            except IngressError as error:
                place = f"entries {sent + 1} to {sent + len(lines)}"
                raise IngressError(f"{place}: {error}. Accepted before: {_named(task_ids)}") from None
            task_ids.append(answer["task_id"])
            sent += len(lines)
            progress.advance(bar, len(body) + 1)
    if not task_ids:
        raise click.UsageError("there is no entry in the file")
    ended = _ended(ingress, task_ids) if follow else []
    if json:
        told = [{"id": task["id"], "status": task["status"]} for task in ended]
        as_json({"entries": sent, "task_ids": task_ids} | ({"tasks": told} if follow else {}))
    for task in ended:
        refuse_unless_done(task)
    if not json:
        click.echo(f"{sent} entries: {_named(task_ids)}{', all DONE' if follow else ''}")


def _patiently(call: Callable[[], Any]) -> Any:
    """Make a call, and repeat it while it may still be accepted.  Raises IngressError."""
    refused: list[IngressError] = []

    def answer() -> Any:
        try:
            return call()
        except IngressError as error:
            if not error.may_pass:
                raise
            refused.append(error)
            return None

    try:
        return wait_until(answer, "an answer", timeout_s=PATIENCE_S, every_s=PAUSE_S)
    except WaitedInVain:
        raise refused[-1] from None


def _entries(name: str, kind: str) -> Iterator[bytes]:
    """Read entries as JSON, digit for digit, one a line.  Raises UsageError for what is neither NDJSON nor JSON."""
    with gzip.open(name) if name.endswith(GZIP) else click.open_file(name, "rb") as file:
        first = next((line for line in file if line.strip()), b"").removeprefix(BOM_UTF8)
        if _is_entry(first, kind):
            yield from (line.strip() for line in itertools.chain([first], file) if line.strip())
            return
        try:
            listed = _listed(first + file.read(), kind)
        except msgspec.DecodeError as error:
            raise click.UsageError(f"{name} is neither NDJSON nor a JSON list of {kind}: {error}") from None
        yield from (msgspec.json.format(bytes(entry), indent=-1) for entry in listed)


def _is_entry(line: bytes, kind: str) -> bool:
    try:
        return kind not in msgspec.json.decode(line, type=dict[str, Raw])
    except msgspec.DecodeError:
        return False


def _listed(text: bytes, kind: str) -> list[Raw]:
    """Read a JSON list, or an object that has it under the name of the kind, or one entry.  Raises DecodeError."""
    if not text.lstrip().startswith(b"{"):
        return msgspec.json.decode(text, type=list[Raw]) if text.strip() else []
    fields = msgspec.json.decode(text, type=dict[str, Raw])
    return msgspec.json.decode(fields[kind], type=list[Raw]) if kind in fields else [Raw(text)]


def _batches(entries: Iterator[bytes], most: int) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for entry in entries:
        if batch and (len(batch) == most or size + len(entry) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += len(entry)
    if batch:
        yield batch


def _ended(ingress: IngressClient, task_ids: list[int]) -> list[dict[str, Any]]:
    """Wait until all tasks have ended, and return them."""
    ended = []
    for task_id in task_ids:
        task: dict[str, Any] = {"status": Status.QUEUED}
        while task["status"] not in TERMINAL:
            task = ingress.call("GET", f"/v1/tasks/{task_id}", wait=WAIT_S)
        ended.append(task)
    return ended


def _named(task_ids: list[int]) -> str:
    if len(task_ids) < 2:
        return f"task {task_ids[0]}" if task_ids else "no task"
    return f"{len(task_ids)} tasks, {task_ids[0]} to {task_ids[-1]}"
