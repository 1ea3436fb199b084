"""``sluice upload``: catalogue files sent to a running ingress, and followed."""

from __future__ import annotations

import contextlib
import http.client
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from api.cli_webhooks import key_argument
from api.file_formats import FileFormat
from api.sent_files import is_archive
from shared.errors import SluiceError
from shared.model import TERMINAL, OnMissing, Status
from shared.partitions import new_nonce
from shared.waiting import wait_until

PIECE_BYTES = 256 * 1024
#: An answer comes once all rows are read.
ANSWER_TIMEOUT_S = 600


class UploadFailed(SluiceError):
    """The files were refused, or their task did not end as DONE."""


@click.command("upload")
@key_argument
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--patch", is_flag=True, help="Replace the entries of the files, and leave all others as they are.")
@click.option("--patch-delta", is_flag=True, help="Change only the fields that are given.")
@click.option("--on-missing", type=click.Choice(list(OnMissing)), help="With --patch-delta: what of ids not there.")
@click.option("--section", default="Products", show_default=True)
@click.option("--force", is_flag=True, help="Waive the safeguard against deleting most of a section.")
@click.option("--follow", is_flag=True, help="Show how far it is, until the task ends.")
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="Where the ingress is.")
@click.option("--token", envvar="SLUICE_TOKEN", required=True, help="Also as SLUICE_TOKEN.")
def upload(
    catalog_key: str,
    files: Sequence[Path],
    patch: bool,
    patch_delta: bool,
    on_missing: str | None,
    section: str,
    force: bool,
    follow: bool,
    url: str,
    token: str,
) -> None:
    """Send a catalogue over HTTP: items.csv, variations.csv, item_groups.csv, any of them, or .jsonl, or one .tar.gz.

    What the files leave out is deleted, unless --patch or --patch-delta is given.
    """
    query: dict[str, Any] = {"section": section, "force": force, "format": _format_of(files)}
    if patch_delta:
        query |= {"patch_delta": True} | ({"on_missing": on_missing} if on_missing else {})
    ingress = _Ingress(url, catalog_key, token)
    with _progress() as progress:
        sending = progress.add_task("sent", total=sum(file.stat().st_size for file in files), unit="bytes")
        form = _Form(files, lambda count: progress.advance(sending, count))
        method = "PATCH" if patch or patch_delta else "PUT"
        answer = ingress.call(method, "/v1/catalog", form.pieces(), headers=form.headers, **query)
        ended = _follow(ingress, answer["task_id"], progress) if follow else None
    click.echo(f"task {answer['task_id']}: " + (ended or f"accepted, see {answer['task_status_path']}"))


def _format_of(files: Sequence[Path]) -> FileFormat:
    """Tell how files are written, by the ending of the first; in an archive each member says so itself."""
    return FileFormat.JSONL if files[0].suffix == f".{FileFormat.JSONL}" else FileFormat.CSV


def _progress() -> Progress:
    done = TextColumn("{task.completed:,.0f} of {task.total:,.0f} {task.fields[unit]}")
    return Progress(
        TextColumn("{task.description}"), BarColumn(), done, TimeElapsedColumn(), console=Console(stderr=True)
    )


def _follow(ingress: _Ingress, task_id: int, progress: Progress) -> str:
    """Show how far a task is, until it ends; returns its status.  Raises UploadFailed unless that is DONE."""
    applying = progress.add_task("applied", total=0, unit="entries")

    def ended() -> Any:
        task = ingress.call("GET", f"/v1/tasks/{task_id}", wait=1)
        counted = task["progress"]
        progress.update(applying, total=counted["entries_total"], completed=counted["entries_applied"])
        return task if task["status"] in TERMINAL else None

    task = wait_until(ended, "end of the task", timeout_s=math.inf)
    if task["status"] != Status.DONE:
        raise UploadFailed(f"task {task_id} is {task['status']}: {task.get('error', {}).get('message', '')}")
    return str(task["status"])


class _Form:
    """Files as a multipart body that is read as it is sent."""

    def __init__(self, files: Sequence[Path], sent: Callable[[int], None]) -> None:
        self._files = files
        self._sent = sent
        self._boundary = new_nonce()
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={self._boundary}",
            "Transfer-Encoding": "chunked",
        }

    def pieces(self) -> Iterator[bytes]:
        for file in self._files:
            # Its name says what is in it; of an archive, that it is one.
            name = file.name if is_archive(file.name) else file.stem
            head = f'Content-Disposition: form-data; name="{name}"; filename="{file.name}"'
            yield f"--{self._boundary}\r\n{head}\r\n\r\n".encode()
            with file.open("rb") as opened:
                while piece := opened.read(PIECE_BYTES):
                    yield piece
                    self._sent(len(piece))
            yield b"\r\n"
        yield f"--{self._boundary}--\r\n".encode()


class _Ingress:
    """A running ingress, asked over HTTP."""

    def __init__(self, url: str, catalog_key: str, token: str) -> None:
        self._address = urlsplit(url)
        self._catalog_key = catalog_key
        self._token = token

    def call(
        self,
        method: str,
        path: str,
        body: Iterator[bytes] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Any:
        """Ask, and decode the answer.  Raises UploadFailed if it is a refusal, or there is none."""
        secure = self._address.scheme == "https"
        make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        target = f"{self._address.path}{path}?{urlencode({'key': self._catalog_key, **query})}"
        sent = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        try:
            with contextlib.closing(make(self._address.netloc, timeout=ANSWER_TIMEOUT_S)) as connection:
                connection.request(method, target, body, sent, encode_chunked=body is not None)
                answer = connection.getresponse()
                text = answer.read()
            said = msgspec.json.decode(text)
        except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
            raise UploadFailed(f"{self._address.geturl()} does not answer: {error!r}") from None
        if answer.status != http.HTTPStatus.OK:
            raise UploadFailed(f"refused ({answer.status}): {said['message']}")
        return said
