"""The URLs of exports: whoever has one may fetch the file, for as long as it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from flask import current_app, url_for
from itsdangerous import BadSignature, URLSafeSerializer

from api.errors import NotFound
from shared.tasks import Task

#: What else the secret key signs must never pass for one of these.
_SALT = "sluice.export"


@dataclass(frozen=True, slots=True)
class ExportLink:
    """What a URL says, by our own signature."""

    catalog_key: str
    task_id: int
    #: When the task was submitted: a store that was emptied gives out ids again.
    submitted_ms: int
    expires_ms: int


def export_url(catalog_key: str, task: Task) -> str:
    """Spell the URL of an export that is DONE: always the same one."""
    assert task.expires_ms is not None
    link = _signer().dumps((catalog_key, task.id, task.submitted_ms, task.expires_ms))
    return url_for("exports.download", link=link, _external=True)


def read_link(link: str) -> ExportLink:
    """Read the signed part of a URL.  Raises NotFound if we never gave it out."""
    try:
        return ExportLink(*_signer().loads(link))
    except BadSignature:
        raise NotFound("This is not the URL of an export.") from None


def export_filename(catalog_key: str, task: Task) -> str:
    """Name the file, in the manner of uploaded ones."""
    batch = task.batch
    assert batch.export is not None
    moment = datetime.fromtimestamp(task.submitted_ms / 1000, UTC).strftime("%Y-%m-%d-%H-%M-%S")
    of = f"{batch.section}_" if batch.section else ""
    return f"{catalog_key}_{of}{batch.operation}_{batch.export.part}_{moment}.jsonl.gz"


def _signer() -> URLSafeSerializer:
    assert current_app.secret_key
    return URLSafeSerializer(current_app.secret_key, salt=_SALT)
