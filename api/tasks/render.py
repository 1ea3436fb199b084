"""Render tasks as the contract defines them, with our additions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from api.exports.links import export_filename, export_url
from api.http.auth import caller
from api.services import current_services
from api.tasks.schemas import TaskType
from shared.clock import iso
from shared.model import Batch, Kind, OnMissing, Operation, Status
from shared.sinks.indexed import RequiredSinks
from shared.tasks.records import QueuePosition, Task


def show(*tasks: Task) -> list[dict[str, Any]]:
    """Render tasks of the caller's catalog.

    One more read of the store adds the queue position of queued ones, and one whether the index of those DONE is built.
    """
    services, catalog_key = current_services(), caller().catalog_key
    done = any(task.status is Status.DONE and task.batch.export is None for task in tasks)
    required = services.required_sinks(catalog_key) if done else RequiredSinks([])
    waiting = [task.id for task in tasks if task.status is Status.QUEUED]
    places = services.tasks(catalog_key).places(waiting) if waiting else {}
    return [_shown(task, indexed=required.have(task)) | _waits(places.get(task.id)) for task in tasks]


def _waits(place: QueuePosition | None) -> dict[str, Any]:
    if place is None:
        return {}
    return {"queue_position": place.before + 1, "waiting_for": _waits_for(place)}


def _waits_for(place: QueuePosition) -> str:
    if place.stuck:
        return "an operator: the partition is stuck"
    if place.before:
        return f"{place.before} task{'s' if place.before > 1 else ''} before it"
    services = current_services()
    return "a worker" if services.heartbeats.alive(services.clock()) else "a worker: none is running"


def _shown(task: Task, *, indexed: bool) -> dict[str, Any]:
    """Render a task by the contract; the fields from ``progress`` on are our additions."""
    batch, has_run = task.batch, task.status is not Status.QUEUED
    rendered: dict[str, Any] = {
        "id": task.id,
        "status": task.status,
        "submission_time": iso(task.submitted_ms),
        "start_time": None if task.started_ms is None else iso(task.started_ms),
        "last_update": iso(task.updated_ms) if has_run else None,
        "type": TaskType.INGESTION if batch.export is None else TaskType.CATALOG_EXPORT,
        "filename": _filename(task),
        "protocol": batch.protocol,
    }
    if batch.export is not None:
        rendered["catalog_part"] = batch.export.part
        rendered["format"] = batch.export.format
        if batch.section:
            rendered["section"] = batch.section
    if task.status is Status.DONE:
        rendered["result"] = _result(task, indexed=indexed) if batch.export is None else _export_result(task)
    elif task.status is Status.FAILED:
        rendered["error"] = {"message": task.error}
    rendered["progress"] = {"entries_total": task.entries_total, "entries_applied": task.entries_done}
    if batch.parts:
        rendered["files"] = {
            part.kind: {"rows": part.entries} | ({"name": part.file} if part.file else {}) for part in batch.parts
        }
    if batch.origin.submitter is not None:
        sender = batch.origin.submitter
        rendered["submitted_by"] = {
            "token_name": sender.token_name,
            "client": sender.client,
            "address": sender.address,
            "bytes": batch.bytes,
        }
    ours = {
        "planned": msgspec.json.decode(task.planned) if task.planned else None,
        "force_reason": batch.force_reason or None,
        "retry_of": task.retry_of,
        "rerun_by": task.rerun_by,
        "canceled_by": task.canceled_by,
        "retried_by": task.retried_by,
        "skipped_by": task.skipped_by,
    }
    return rendered | {name: value for name, value in ours.items() if value is not None}


def _filename(task: Task) -> str:
    if task.batch.export is not None:
        return export_filename(caller().catalog_key, task)
    moment = datetime.fromtimestamp(task.submitted_ms / 1000, UTC).strftime("%Y-%m-%d-%H-%M-%S")
    of = task.batch.section or task.batch.kind
    return f"{caller().catalog_key}_{of}_{_operation(task.batch)}_{moment}.tar"


def _operation(batch: Batch) -> str:
    """Name a batch's operation; for catalogue files as their names do."""
    if not batch.parts:
        return batch.operation
    match batch.operation:
        case Operation.SYNC | Operation.KEEP:
            return "sync"
        case Operation.PUT:
            return "delta"
        case Operation.PATCH:
            return "patchdelta" + ("" if batch.on_missing is OnMissing.FAIL else batch.on_missing.lower())
        case _:
            return batch.operation


def _export_result(task: Task) -> dict[str, Any]:
    result = {"url": export_url(caller().catalog_key, task), "count": task.entries_done, "bytes": task.exported_bytes}
    return result | ({"sha256": task.exported_sha256} if task.exported_sha256 else {})


def _result(task: Task, *, indexed: bool) -> dict[str, Any]:
    kinds = task.batch.kinds
    touched = {
        name: count
        for name, count in task.counts.items()
        if (name.startswith(kinds) and not name.endswith("_unchanged"))
        or (count and name.startswith((*kinds, Kind.VARIATIONS)))
    }
    groups = {name: count for name, count in touched.items() if name.startswith(Kind.ITEM_GROUPS)}
    in_section = {name: count for name, count in touched.items() if name not in groups}
    changelog = {"sections": {task.batch.section: in_section} if in_section else {}, **groups}
    return {
        "changelog": changelog,
        "index_built": indexed,
        "ingestion_warnings": [*map(msgspec.json.decode, task.batch.warnings), *msgspec.json.decode(task.warnings)],
    }
