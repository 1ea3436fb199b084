"""What parameters, fields and headers mean.  A name means the same wherever it stands."""

from __future__ import annotations

#: Query parameters, and the parts of a path.
PARAMETERS: dict[str, str] = {
    "key": "The catalog that is meant.",
    "section": "The part of the catalog that is meant.",
    "format": "How the files are written: `csv`, or `jsonl`, an entry a line.",
    "mode": "What the files have: `full`, whole entries, or `ids`, the ids of those to keep as they are.",
    "patch_delta": "Change only the fields that are given, of entries that are there.",
    "force": "Waive the safeguard: without it, a task that would delete more than half of a section's items fails. "
    "With it, a PUT of V1 also makes items that are not there.",
    "notification_email": "Who gets a mail if the task fails. May be repeated.",
    "on_missing": (
        "What becomes of an id that is not there: `FAIL` fails the whole task and nothing changes, `IGNORE` leaves the "
        "entry out, `CREATE` creates it; it then needs what a PUT needs, and edits of lists are refused."
    ),
    "on_invalid": (
        "What becomes of an entry that breaks the rules: `REJECT` refuses the whole request, `SKIP` lets the others go "
        "ahead and names it in the task (warning `INVALID_ENTRY`, outcome `failed`). If all break them: 400."
    ),
    "dry_run": "Check and report, store nothing. The answer is 200 and lists the entries that break the rules, if any.",
    "wait": (
        "Seconds to wait for the task to end. The answer comes when it has, or when the time is up, with the task as "
        "it then is; at once, if too many wait already."
    ),
    "id": "Only these. May be repeated, a thousand times at most.",
    "item_id": "Only the variations of this item.",
    "num_results_per_page": "How many at most.",
    "page": "Which page, from 1. Not together with `offset`.",
    "offset": "How many to pass over. Not together with `page`.",
    "next_page_cursor": "Go on behind the page whose answer held this. Not together with `page` or `offset`.",
    "status": "Only tasks of this status. May be repeated.",
    "type": "Only tasks of this type. May be repeated. There are `ingestion` and `catalog_export`.",
    "start_date": "Only tasks submitted on this day (UTC) or later.",
    "end_date": "Only tasks submitted on this day (UTC) or earlier.",
    "outcome": "Only entries with this outcome.",
    "after": "Only what tasks behind this one changed.",
    "task_id": "A task's id.",
    "webhook_id": "A webhook's id.",
    "link": "The signed part of `result.url`.",
    "entry_id": "An entry's id, percent-encoded; it may hold any character, `/` included.",
    "group_id": "An item group's id, percent-encoded; it may hold any character, `/` included.",
}

#: Members of what is sent and answered.
FIELDS: dict[str, str] = {
    "id": "Any text; names it within its kind and section.",
    "Task.id": "Its place in the catalog's order.",
    "NamedTaskChange.id": "The task's id.",
    "ReportedEntry.id": "null once the payload is no longer kept, or if what was sent had none.",
    "item_id": "The item that it is a form of.",
    "name": "With one letter or digit at least.",
    "item_name": "The name; of an item without an `id` it is the id too.",
    "new_item_name": "The name it shall have; needs an `id`.",
    "metadata": "Anything else; V2 shows it in `data`.",
    "variations": "All forms of the item there shall be; those it has stay as they are if this is not sent.",
    "suggested_score": "A whole number; `1337.0` is one. Read back as sent.",
    "Warned.data": "The `id` of the entry, and its `index` if it is not clear without.",
    "TaskError.message": "Begins with `IngestionError: `.",
    "Warned.message": "In a sentence.",
    "data": (
        "Anything, 200 kB of JSON at most (item groups: 5 kB), nested 64 levels at most. Numbers are kept as they are "
        'written. In a PATCH, `null` removes a member, `"name:add"` and `"name:remove"` edit the list under `name`.'
    ),
    "facets": "Facet name to its value or values: texts or numbers.",
    "parent_ids": "The groups that it belongs to.",
    "parent_id": "The group that it lies in.",
    "children": "The groups that lie in it.",
    "path": "The ids of the groups above it, outermost first.",
    "path_list": "The same, one by one.",
    "GroupCounts.processed": "Groups that were sent, those inside others too.",
    "GroupCounts.inserted": "New ones.",
    "GroupCounts.updated": "Changed ones.",
    "GroupCounts.deleted": "Those that were not sent.",
    "updated_at": "When it last changed.",
    "total_count": "Of all pages.",
    "next_page_cursor": "Ask with it for the next page; absent on the last.",
    "loc": "Where: `items[3].name`.",
    "msg": "What is wrong there.",
    "message": "In a sentence; of several problems the first ten.",
    "errors": "Each problem with its place, if the request breaks the rules.",
    "task_id": "Follow the task under this id; never 0.",
    "task_status_path": "Where.",
    "next_after": "Ask with it for what follows.",
    "Error.next_after": "Of a 410: where the feed begins by now.",
    "more": "More of it is there already.",
    "kind": "Of which kind the entries are.",
    "Change.section": "null for item groups.",
    "Error.task_id": "Of a 504: the task that the write became.",
    "Error.task_status_path": "Of a 504: where to follow it.",
    "task": "If it was to be waited for.",
    "TaskChange.status": "`CANCELED` takes it back, `QUEUED` runs it again.",
    "NamedTaskChange.status": "`CANCELED` takes it back, `QUEUED` runs it again.",
    "Task.status": "QUEUED, then IN_PROGRESS, then one of DONE, FAILED, CANCELED, which it keeps.",
    "start_time": "null until it runs.",
    "last_update": "null until it runs.",
    "filename": "A name in the manner of uploaded files.",
    "protocol": "How it came in.",
    "result": "Once DONE.",
    "error": "Once FAILED.",
    "progress": "Entries in all, and those whose turn has come; of an export, those written so far.",
    "queue_position": "While QUEUED: 1 is the next.",
    "waiting_for": "While QUEUED: what it waits for.",
    "retry_of": "The task that this one runs again.",
    "rerun_by": "Whose token asked for that.",
    "canceled_by": "Whose token canceled it.",
    "retried_by": "The operator who let its stuck partition go on.",
    "skipped_by": "The operator who let its stuck partition go on without the rest of it.",
    "changelog": "What changed; only the kinds touched.",
    "sections": "By section.",
    "items_updated": "Created ones are counted too.",
    "ingestion_warnings": "What was left out or found odd. At most 100 for each 1,000 entries.",
    "code": "`DUPLICATE_ITEM`, `ORPHAN_VARIATION` or `INVALID_ENTRY`.",
    "index": "Place among the entries that were sent, from 0.",
    "outcome": "What became of it.",
    "reason": "Why it was left out or failed, if that is known.",
    "outcome_counts": "Of all outcomes, whatever was asked for.",
    "status_counts": "Of all statuses, whatever was asked for.",
    "dry_run": "Nothing was stored.",
    "NewWebhook.url": "`https://` or `http://`; private addresses are refused, unless a setting allows them.",
    "catalog_part": "What is written out.",
    "from_timestamp": "Only what was changed at this moment or since; without an offset it is UTC.",
    "url": "Where the file is to be had, without a token, for three days.",
    "count": "Lines of it.",
    "secret": "What is signed with: `whsec_`, then base64.",
    "Delivery.task_id": "The task that had ended.",
    "Delivery.target": "A webhook's id, or `mail`.",
    "Delivery.attempt": "From 1.",
    "took_ms": "Milliseconds.",
    "Delivery.outcome": "`failed` is tried again, `given_up` is not.",
    "status_code": "Of the answer, if there was one.",
    "Delivery.error": "Why it failed.",
    "next_attempt": "When it is tried again.",
}

#: Headers of requests and answers.
HEADERS: dict[str, str] = {
    "Idempotency-Key": (
        "A name of the sender's own for this request, 1 to 255 visible ASCII characters. For 24 hours, sending the "
        "same again is answered with the first task; another request under it (catalog, method and path being the "
        "same) is 409."
    ),
    "Idempotency-Replayed": "`true` if the request was accepted before, under the same Idempotency-Key.",
    "X-RateLimit-Tasks-Remaining": "How many more tasks of this catalog may wait.",
    "X-Request-Id": "The request's own id, or one made for it; stands in every log line.",
    "Retry-After": "Seconds after which it is worth trying again.",
    "WWW-Authenticate": "How to authenticate.",
    "Content-Length": "Bytes of the body.",
    "Location": "Where the task is.",
    "Content-Disposition": "A file name for the body.",
}
