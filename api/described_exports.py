"""What the files of exports say of themselves."""

from __future__ import annotations

from api.describing import Answer, Description, Tag

DOWNLOAD = Description(
    "Fetch the file of an export",
    Tag.TASKS,
    {
        200: Answer(
            "A gzip file of JSON lines.",
            {},
            media_types=("application/gzip",),
            headers=("Content-Disposition", "Content-Length"),
        )
    },
    text="The URL stands in the task's `result` once it is DONE. It needs no token: whoever has it may fetch the file.",
    errors=(404, 410, 503),
    public=True,
)
