"""What is told outside when a task has ended.  Pure.

Webhooks are signed as https://www.standardwebhooks.com says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from shared.clock import iso
from shared.codec import encode_json
from shared.model import Status
from shared.tasks import Task
from shared.webhooks import SECRET_PREFIX


def message_id(catalog_key: str, task: Task) -> str:
    """Name what is told of a task: the same however often it is, and no other task's."""
    # The moment too, since a store that was emptied gives out ids again.
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


def webhook_headers(name: str, body: bytes, secret: str, *, now_s: int) -> dict[str, str]:
    """Make the headers of a webhook, its signature among them."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = hmac.digest(key, f"{name}.{now_s}.".encode() + body, "sha256")
    return {
        "Content-Type": "application/json",
        "User-Agent": "Sluice",
        "webhook-id": name,
        "webhook-timestamp": str(now_s),
        "webhook-signature": "v1," + base64.b64encode(signed).decode(),
    }


def failure_mail(catalog_key: str, task: Task, *, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """Write the mail about a task that failed.  Raises ValueError if an address is none."""
    batch = task.batch
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(addr_spec=sender)
    mail["To"] = [Address(addr_spec=recipient) for recipient in recipients]
    mail["Subject"] = f"Task {task.id} of {catalog_key} failed"
    mail["Date"] = format_datetime(datetime.fromtimestamp(task.updated_ms / 1000, UTC))
    mail["Message-ID"] = f"<{message_id(catalog_key, task)}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    where = f" in section {batch.section}" if batch.section else ""
    mail.set_content(
        f"Task {task.id} of the catalogue {catalog_key} failed at {iso(task.updated_ms)}.\n\n"
        f"{task.error}\n\n"
        f"It was to {batch.operation} {batch.entries} {batch.noun}{where}, "
        f"and was submitted at {iso(task.submitted_ms)}.\n"
        f"More about it: GET /v1/tasks/{task.id}?key={catalog_key}\n"
    )
    return mail
