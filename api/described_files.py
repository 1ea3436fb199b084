"""What the uploads of catalogue files say of themselves."""

from __future__ import annotations

from api.describing import Answer, Description, FilesBody, Tag
from api.file_queries import PatchFilesQuery, PutFilesQuery
from api.task_answers import Accepted
from shared.model import Kind

_BODY = FilesBody(
    {
        Kind.ITEMS: "Columns: `id`, `item_name`, `url`, `image_url`, `description`, `keywords`, `group_ids`, `active`, "
        "`suggested_score`, `facet:<name>`, `metadata:<name>`, `metadata:json:<name>`.",
        Kind.VARIATIONS: "Columns: `variation_id`, `item_id`, and those of items from `item_name` on.",
        Kind.ITEM_GROUPS: "Columns: `parent_id`, `id`, `name`, `data`.",
    }
)
_ACCEPTED = Answer(
    "The files became one task.",
    Accepted,
    {"task_id": 7, "task_status_path": "/v1/tasks/7?key=acme"},
    headers=("X-RateLimit-Tasks-Remaining", "Idempotency-Replayed"),
)
_FILES = (
    "A part for each kind of entry, any subset of them; or one part named `*.tar.gz`, an archive with `items.csv` and "
    "so on. CSV in UTF-8, lists separated by `|`, blank cells left out, unknown columns ignored; or JSONL, an entry a "
    "line. Any number of rows: they are read, checked and stored as they arrive. All of it is applied or nothing."
)

PUT = Description(
    "Make catalogue files all there is",
    Tag.FILES,
    {200: _ACCEPTED},
    text=_FILES + " What the files leave out is deleted; a kind that has no file stays. Readers see the old catalogue "
    "until the last row is applied, then the new one.",
    query=PutFilesQuery,
    headers=("Idempotency-Key",),
    body=_BODY,
    errors=(409, 429),
)
PATCH = Description(
    "Apply catalogue files as changes",
    Tag.FILES,
    {200: _ACCEPTED},
    text=_FILES + " Entries are replaced whole; with `patch_delta=true` only the fields that are given change.",
    query=PatchFilesQuery,
    headers=("Idempotency-Key",),
    body=_BODY,
    errors=(409, 429),
)
