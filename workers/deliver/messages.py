"""Write the e-mails about failed tasks and dead webhooks.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from urllib.parse import urlsplit

from shared.clock import iso
from shared.errors import BadSetting
from shared.outbox.links import followers_url, update_url
from shared.outbox.outbox import Trouble
from shared.outbox.webhook_messages import message_id
from shared.outbox.webhooks import Webhook
from shared.tasks.records import Task
from shared.tasks.reports import ReportedEntry

#: Most characters of a subject that say why.
SUBJECT_REASON_LENGTH = 80


def parse_sender(text: str) -> Address:
    """Read SLUICE_MAIL_FROM, ``noreply@shop.example`` or ``Shop <noreply@shop.example>``.  Raises BadSetting."""
    name, address = parseaddr(text)
    try:
        return _address(address, name)
    except (MessageError, ValueError) as problem:
        raise BadSetting(f"SLUICE_MAIL_FROM={text!r}: not an address, nor a name with an <address>") from problem


def _address(text: str, name: str = "") -> Address:
    """Read an address; an internationalized domain is converted to ASCII."""
    user, _, domain = text.rpartition("@")
    return Address(name, addr_spec=f"{user}@{domain if domain.isascii() else domain.encode('idna').decode()}")


@dataclass(frozen=True, slots=True)
class Problems:
    """The entries to blame for a failed task."""

    #: The first of them.
    first: Sequence[ReportedEntry] = ()
    total: int = 0


def failure_mail(
    catalog_key: str, task: Task, problems: Problems, *, sender: str, recipients: Sequence[str], public_url: str | None
) -> EmailMessage:
    """Write the e-mail about a failed task.  Raises ValueError if an address is invalid."""
    batch = task.batch
    mail = _mail(sender, recipients, _failure_subject(catalog_key, task), task.updated_ms)
    mail["Message-ID"] = f"<{message_id(catalog_key, task)}@{parse_sender(sender).domain}>"
    where = f" in section {batch.section}" if batch.section else ""
    by = f", sent by {batch.origin.submitter.token_name}" if batch.origin.submitter else ""
    look = update_url(public_url, catalog_key, task.id) if public_url else f"GET /v1/tasks/{task.id}?key={catalog_key}"
    files = f"Files: {', '.join(names)}\n" if (names := _files(task)) else ""
    mail.set_content(
        f"Update {task.id} of the catalogue {catalog_key} failed. {_what_was_applied(task)}\n\n"
        f"{task.error}\n\n"
        f"{_problem_lines(problems)}"
        f"Look at it, or run it again: {look}\n\n"
        f"It was to {batch.operation} {batch.entries} {batch.noun}{where}{by}.\n"
        f"{files}"
        f"Submitted {iso(task.submitted_ms)}, failed {iso(task.updated_ms)}\n"
    )
    return mail


def _what_was_applied(task: Task) -> str:
    # Only an operator ends a task in the midst; how far it was, its error says.
    return "What was applied of it stays." if task.skipped_by else "Nothing of it was applied."


def _failure_subject(catalog_key: str, task: Task) -> str:
    """Say which catalogue, what, and why, in one line."""
    what = _files(task)[0] if _files(task) else f"update {task.id}"
    why = _one_line(task.error or "").partition("Error: ")
    why_short = why[2] or why[0]
    if len(why_short) > SUBJECT_REASON_LENGTH:
        why_short = why_short[:SUBJECT_REASON_LENGTH].rsplit(" ", 1)[0] + " …"
    return f"{catalog_key}: {_one_line(what)} failed" + (f": {why_short}" if why_short else "")


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _files(task: Task) -> list[str]:
    return [part.file for part in task.batch.parts if part.file]


def _problem_lines(problems: Problems) -> str:
    if not problems.first:
        return ""
    lines = [f"  {entry.id or f'entry {entry.index + 1}'}: {entry.reason or 'failed'}" for entry in problems.first]
    more = problems.total - len(problems.first)
    return "\n".join(["The first problems:", *lines, *([f"  and {more} more"] if more else [])]) + "\n\n"


def given_up_mail(
    catalog_key: str, webhook: Webhook, trouble: Trouble, *, sender: str, now_ms: int, public_url: str | None
) -> EmailMessage:
    """Write the e-mail about a webhook that is given up.  Raises ValueError if an address is invalid."""
    host = urlsplit(webhook.url).hostname or ""
    mail = _mail(sender, webhook.notification_emails, f"{catalog_key}: the webhook to {host} is given up", now_ms)
    look = f"Its last deliveries: {followers_url(public_url, catalog_key)}\n" if public_url else ""
    mail.set_content(
        f"The webhook {webhook.id} of the catalogue {catalog_key} is given up.\n"
        f"Nothing more is sent to {webhook.url}\n\n"
        f"It has only failed since {iso(trouble.since_ms)}, {trouble.failures} times.\n"
        f"The last time: {trouble.reason}\n\n"
        f"{look}"
        f'Begin again: PATCH /v1/webhooks/{webhook.id}?key={catalog_key} with {{"paused": false}}\n'
        f"Send what was missed: POST /v1/webhooks/{webhook.id}/resend?key={catalog_key} "
        f'with {{"since": "{iso(trouble.since_ms)}"}}\n'
    )
    return mail


def _mail(sender: str, recipients: Sequence[str], subject: str, at_ms: int) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = parse_sender(sender)
    mail["To"] = [_address(recipient) for recipient in recipients]
    mail["Subject"] = subject
    mail["Date"] = format_datetime(datetime.fromtimestamp(at_ms / 1000, UTC))
    mail["Auto-Submitted"] = "auto-generated"
    return mail
