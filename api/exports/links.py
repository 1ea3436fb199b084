"""Sign and read the URLs of exports: anybody who has one may fetch the file while it is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import current_app, url_for
from itsdangerous import BadSignature, URLSafeSerializer

from api.errors import NotFound
from shared.tasks.records import Task

#: Separates these signatures from all others made with the secret key.
_SALT = "sluice.export"

_UNNAMEABLE = re.compile(r"[\x00-\x1f\x7f-\x9f/\\]")


@dataclass(frozen=True, slots=True)
class ExportLink:
    """The signed contents of a URL."""

    catalog_key: str
    task_id: int
    #: When the task was submitted: a store that was emptied assigns the same ids again.
    submitted_ms: int
    expires_ms: int


def export_url(catalog_key: str, task: Task) -> str:
    """Build the URL of an export that is DONE; it never changes."""
    assert task.expires_ms is not None
    link = _signer().dumps((catalog_key, task.id, task.submitted_ms, task.expires_ms))
    return url_for("exports.download", link=link, _external=True)


def read_link(link: str) -> ExportLink:
    """Read the signed part of a URL.  Raises NotFound if the signature is not ours."""
    try:
        return ExportLink(*_signer().loads(link))
    except BadSignature:
        raise NotFound("This is not the URL of an export.") from None


def export_filename(catalog_key: str, task: Task) -> str:
    """Name the file after the pattern of uploaded ones."""
    batch = task.batch
    assert batch.export is not None
    moment = datetime.fromtimestamp(task.submitted_ms / 1000, UTC).strftime("%Y-%m-%d-%H-%M-%S")
    # A section may have characters that a file name may not.
    of = f"{_UNNAMEABLE.sub('-', batch.section)}_" if batch.section else ""
    return f"{catalog_key}_{of}{batch.operation}_{batch.export.part}_{moment}.{batch.export.format}.gz"


def _signer() -> URLSafeSerializer:
    assert current_app.secret_key
    return URLSafeSerializer(current_app.secret_key, salt=_SALT)
