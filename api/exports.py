"""``/v1/exports``: fetch the file of an export, by a signed URL."""

from __future__ import annotations

import threading

from flask import Blueprint, Response

from api import described_exports
from api.describing import describe
from api.errors import Gone, Unavailable
from api.export_links import export_filename, read_link
from api.services import services
from shared.export_files import ExportGone
from shared.settings import Settings

#: Seconds after which another download may have ended.
RETRY_AFTER_S = 10

_BUSY = "Too many exports are being fetched. Please try again later."
_GONE = "This export is no longer kept: run it again."


def create_blueprint(settings: Settings) -> Blueprint:
    """Make the route.  Slow downloads never take more than half of a process's threads."""
    blueprint = Blueprint("exports", __name__, url_prefix="/v1/exports")
    seats = threading.BoundedSemaphore(max(1, settings.threads // 2))

    @blueprint.get("/<link>")
    @describe(described_exports.DOWNLOAD)
    def download(link: str) -> Response:
        if not seats.acquire(blocking=False):
            raise Unavailable(_BUSY, retry_after_s=RETRY_AFTER_S)
        try:
            answer = _answer(link)
        except BaseException:
            seats.release()
            raise
        answer.call_on_close(seats.release)
        return answer

    return blueprint


def _answer(signed: str) -> Response:
    link, tools = read_link(signed), services()
    task = tools.tasks(link.catalog_key).get(link.task_id)
    if task is None or task.submitted_ms != link.submitted_ms or tools.clock() >= link.expires_ms:
        raise Gone(_GONE)
    try:
        names = tools.exports(link.catalog_key).names(task.id)
        blocks = tools.export_files.read(link.catalog_key, task.id, names)
    except ExportGone:
        raise Gone(_GONE) from None
    answer = Response(blocks, mimetype="application/gzip")
    answer.content_length = task.exported_bytes
    answer.headers.set("Content-Disposition", "attachment", filename=export_filename(link.catalog_key, task))
    return answer
