"""Write the calls of webhooks: bodies and headers.  Pure.

They are signed according to https://www.standardwebhooks.com.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from shared.clock import iso
from shared.codec import encode_json
from shared.model import Status
from shared.outbox.webhooks import SECRET_PREFIX
from shared.tasks.records import Task


def message_id(catalog_key: str, task: Task) -> str:
    """Return the message id of a task: the same for every delivery, and unique to the task."""
    # With the time, since a store that was emptied assigns the same ids again.
    said = f"{catalog_key} {task.id} {task.submitted_ms}"
    return "msg_" + hashlib.sha256(said.encode()).hexdigest()[:32]


def webhook_body(catalog_key: str, task: Task) -> bytes:
    """Write the body of a webhook."""
    batch = task.batch
    data: dict[str, Any] = {
        "key": catalog_key,
        "task_id": task.id,
        "status": task.status,
        "task_status_path": f"/v1/tasks/{task.id}?key={catalog_key}",
        "kind": batch.kind,
        "operation": batch.operation,
        "section": batch.section or None,
        "entries_total": task.entries_total,
        "entries_applied": task.entries_done,
        **{name: count for name, count in task.counts.items() if count},
    }
    if task.status is Status.FAILED:
        data["error"] = {"message": task.error}
    return encode_json({"type": f"task.{task.status.lower()}", "timestamp": iso(task.updated_ms), "data": data})


def ping_id(catalog_key: str, webhook_id: str, now_ms: int) -> str:
    """Return the message id of a ping."""
    return "msg_" + hashlib.sha256(f"{catalog_key} {webhook_id} ping {now_ms}".encode()).hexdigest()[:32]


def ping_body(catalog_key: str, now_ms: int) -> bytes:
    """Write the body of a ping."""
    return encode_json({"type": "webhook.ping", "timestamp": iso(now_ms), "data": {"key": catalog_key}})


def webhook_headers(name: str, body: bytes, *secrets: str, now_s: int) -> dict[str, str]:
    """Build the headers of a webhook, with a signature for each secret."""
    content = f"{name}.{now_s}.".encode() + body
    keys = [base64.b64decode(secret.removeprefix(SECRET_PREFIX)) for secret in secrets]
    signatures = [base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys]
    return unsigned_headers(name, now_s) | {
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures)
    }


def unsigned_headers(name: str, now_s: int) -> dict[str, str]:
    """Build the headers of a webhook but for its signatures."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "Sluice",
        "webhook-id": name,
        "webhook-timestamp": str(now_s),
    }
