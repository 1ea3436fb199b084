"""OpenAPI descriptions of the uploads of catalogue files."""

from __future__ import annotations

from api.files.queries import PatchFilesQuery, PutFilesQuery
from api.openapi.describe import Answer, Description, FilesBody, Tag
from api.tasks.answers import AcceptedSchema, FilesFindings
from shared.model import Kind

_COLUMNS = (
    "`item_name`, `url`, `image_url`, `description`, `keywords`, `group_ids`, `active`, `suggested_score`, `facets`, "
    "`facet:<name>`, `metadata:<name>`, `metadata:json:<name>`"
)
_BODY = FilesBody(
    {
        Kind.ITEMS: f"Columns: `id`, {_COLUMNS}.",
        Kind.VARIATIONS: f"Columns: `variation_id`, `item_id`, {_COLUMNS}.",
        Kind.ITEM_GROUPS: "Columns: `parent_ids` (a JSON array of ids; `[]`: a root), `id`, `name`, `data` (JSON). The "
        "older `parent_id` has one id.",
    }
)
_ACCEPTED = Answer(
    "The files are accepted as one task; a dry run answers with what they would do.",
    (AcceptedSchema, FilesFindings),
    {"task_id": 7, "task_status_path": "/v1/tasks/7?key=acme"},
    headers=("X-RateLimit-Tasks-Remaining",),
)
_FILES = (
    "A part for each kind of entry, any subset of them; or one part named `*.tar.gz` or `*.tgz`, an archive with "
    "`items.csv` and so on. CSV in UTF-8, lists separated by `|`, blank cells left out, unknown columns too, with a "
    "warning; or JSON, an entry a line (`.jsonl`) or an object with a list of them (`.json`). Each file may be `.gz`. "
    "Any number of rows: they are read, checked and stored as they arrive. All of it is applied or nothing: rows that "
    "break the rules make the task fail, which names file, line and column."
)

PUT = Description(
    "Replace the catalogue by files",
    Tag.FILES,
    {200: _ACCEPTED},
    text=_FILES
    + " Entries that the files leave out are deleted; a kind without a file stays as it is. Readers see the "
    "old catalogue until the last row is applied, then the new one.",
    query=PutFilesQuery,
    body=_BODY,
    errors=(409, 429),
)
PATCH = Description(
    "Apply files as changes to the catalogue",
    Tag.FILES,
    {200: _ACCEPTED},
    text=_FILES + " Entries are replaced whole; with `patch_delta=true` only the given fields change.",
    query=PatchFilesQuery,
    body=_BODY,
    errors=(409, 429),
)
