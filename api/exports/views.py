"""``/v1/exports``: fetch the file of an export, by a signed URL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import IO, cast

from flask import Blueprint, Response, request
from werkzeug.wsgi import FileWrapper

from api.errors import Gone
from api.exports import docs as described_exports
from api.exports.links import export_filename, read_link
from api.openapi.describe import describe
from api.services import current_services
from shared.exports.files import BLOCK, ExportGone

_GONE = "This export is no longer kept. Run it again."


blueprint = Blueprint("exports", __name__, url_prefix="/v1/exports")


@blueprint.get("/<link>")
@describe(described_exports.DOWNLOAD)
def download(link: str) -> Response:
    """Send the file block by block; the server waits for slow readers without a thread."""
    export, services = read_link(link), current_services()
    task = services.tasks(export.catalog_key).get(export.task_id)
    if task is None or task.submitted_ms != export.submitted_ms or services.clock() >= export.expires_ms:
        raise Gone(_GONE)
    try:
        names = services.exports(export.catalog_key).names(task.id)
        file = services.export_files.open(export.catalog_key, task.id, names)
    except ExportGone:
        raise Gone(_GONE) from None
    answer = Response(FileWrapper(cast(IO[bytes], file), BLOCK), mimetype="application/gzip")
    answer.content_length = file.size
    answer.headers.set("Content-Disposition", "attachment", filename=export_filename(export.catalog_key, task))
    answer.last_modified = datetime.fromtimestamp(task.updated_ms / 1000, UTC)
    if task.exported_sha256:
        answer.set_etag(task.exported_sha256)
    # Honours Range and conditional requests.
    answer.make_conditional(request, accept_ranges=True, complete_length=file.size)
    return answer
