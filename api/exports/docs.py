"""OpenAPI description of the download of an export."""

from __future__ import annotations

from api.openapi.describe import Answer, Description, Tag

DOWNLOAD = Description(
    "Fetch the file of an export",
    Tag.TASKS,
    {
        200: Answer(
            "A gzip file with one JSON entry per line, or with CSV.",
            {},
            media_types=("application/gzip",),
            headers=("Content-Disposition", "Content-Length"),
        )
    },
    text="The URL is in the task's `result` once the task is DONE. It needs no token: anybody who has the URL may "
    "fetch the file.",
    errors=(404, 410, 503),
    public=True,
)
