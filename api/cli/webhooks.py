"""``sluice webhooks``: manage webhooks."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from api.cli.catalog_key import key_argument
from api.cli.context import check_known
from api.cli.output import as_json, json_option, table
from api.services import current_services
from shared.clock import iso
from shared.model import TERMINAL
from shared.outbox import resends
from shared.outbox.outbox import Trouble
from shared.outbox.webhooks import Webhook


@click.group(cls=AppGroup)
def webhooks() -> None:
    """Manage the webhooks that are called when tasks of a catalog end."""


@webhooks.command("add")
@key_argument
@click.argument("url")
@json_option
def add_webhook(catalog_key: str, url: str, json: bool) -> None:
    """Create a webhook and print its secret."""
    check_known(catalog_key)
    services = current_services()
    private = services.settings.webhook_private == "allow"
    webhook = services.webhooks(catalog_key).add(url, private=private, now_ms=services.clock())
    _show_secret(webhook, f"{webhook.id} {webhook.secret}", json=json)


@webhooks.command("list")
@key_argument
@json_option
def list_webhooks(catalog_key: str, json: bool) -> None:
    """List the webhooks of a catalog with their states and pending deliveries, without secrets."""
    check_known(catalog_key)
    services = current_services()
    outbox = services.outbox(catalog_key)
    troubles = outbox.troubles()
    rows = [
        (one.id, iso(one.created_ms), one.url, _state(one, troubles.get(one.id)), outbox.waiting(one.id))
        for one in services.webhooks(catalog_key).all()
    ]
    table(("ID", "CREATED", "URL", "STATE", "WAITING"), rows, json=json)


@webhooks.command("pause")
@key_argument
@click.argument("webhook_id", metavar="ID")
def pause_webhook(catalog_key: str, webhook_id: str) -> None:
    """Send nothing to a webhook until it is resumed; what waits is kept for a day."""
    check_known(catalog_key)
    _set_paused(catalog_key, webhook_id, paused=True)
    click.echo(f"{webhook_id} paused")


@webhooks.command("resume")
@key_argument
@click.argument("webhook_id", metavar="ID")
def resume_webhook(catalog_key: str, webhook_id: str) -> None:
    """Resume a webhook that was paused, failed or was given up."""
    check_known(catalog_key)
    services = current_services()
    _set_paused(catalog_key, webhook_id, paused=False)
    services.outbox(catalog_key).forget_trouble(webhook_id, services.clock())
    click.echo(f"{webhook_id} resumed")


@webhooks.command("ping")
@key_argument
@click.argument("webhook_id", metavar="ID")
def ping_webhook(catalog_key: str, webhook_id: str) -> None:
    """Call a webhook now, once; `sluice webhooks deliveries` shows what came of it."""
    webhook, services = _found(catalog_key, webhook_id), current_services()
    resends.ping(services.client, catalog_key, webhook, now_ms=services.clock())
    click.echo("queued")


@webhooks.command("resend")
@key_argument
@click.argument("webhook_id", metavar="ID")
@click.option("--task", "task_id", type=click.IntRange(1), help="Tell of this task once more.")
@click.option("--hours", type=click.FloatRange(0), help="Tell of tasks that ended in the last hours, unless delivered.")
def resend_deliveries(catalog_key: str, webhook_id: str, task_id: int | None, hours: float | None) -> None:
    """Call a webhook once more: for one task, or for all that it missed."""
    if (task_id is None) == (hours is None):
        raise click.UsageError("say either --task or --hours")
    webhook, services = _found(catalog_key, webhook_id), current_services()
    if webhook.paused:
        raise click.ClickException(f"{webhook_id} is paused: resume it first")
    client, now_ms = services.client, services.clock()
    if task_id is not None:
        if not (task := services.tasks(catalog_key).get(task_id)) or task.status not in TERMINAL:
            raise click.ClickException(f"{catalog_key} has no task {task_id} that has ended")
        queued = resends.resend(client, catalog_key, webhook, task_id, now_ms=now_ms)
    else:
        since_ms = now_ms - int((hours or 0) * 3_600_000)
        queued = resends.resend_since(client, catalog_key, webhook, since_ms, now_ms=now_ms)
    more = "" if queued.until_ms is None else f"; more ended since {iso(queued.until_ms)}: say it again afterwards"
    click.echo(f"{queued.tasks} queued{more}")


@webhooks.command("rotate")
@key_argument
@click.argument("webhook_id", metavar="ID")
@click.option(
    "--overlap", default=24.0, show_default=True, type=click.FloatRange(0), help="Hours of two valid signatures."
)
@json_option
def rotate_secret(catalog_key: str, webhook_id: str, overlap: float, json: bool) -> None:
    """Give a webhook a new secret and print it; calls are signed with the old one too for some time."""
    check_known(catalog_key)
    services = current_services()
    overlap_ms = int(overlap * 3600 * 1000)
    webhook = services.webhooks(catalog_key).rotate(webhook_id, now_ms=services.clock(), overlap_ms=overlap_ms)
    if webhook is None:
        raise click.ClickException(f"{catalog_key} has no webhook {webhook_id}")
    _show_secret(webhook, webhook.secret, json=json)


@webhooks.command("remove")
@key_argument
@click.argument("webhook_id", metavar="ID")
def remove_webhook(catalog_key: str, webhook_id: str) -> None:
    """Remove a webhook and drop its pending deliveries."""
    check_known(catalog_key)
    if not current_services().webhooks(catalog_key).remove(webhook_id):
        raise click.ClickException(f"{catalog_key} has no webhook {webhook_id}")
    click.echo("removed")


@webhooks.command("deliveries")
@key_argument
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@json_option
def list_deliveries(catalog_key: str, limit: int, json: bool) -> None:
    """List the last delivery attempts, newest first."""
    check_known(catalog_key)
    rows = [
        (
            iso(one.at_ms),
            str(one.task_id or "ping"),
            one.target,
            one.number,
            one.outcome,
            one.error or str(one.status_code or ""),
        )
        for one in current_services().outbox(catalog_key).attempts(limit)
    ]
    table(("AT", "TASK", "TARGET", "ATTEMPT", "OUTCOME", "ANSWER"), rows, json=json)


def _show_secret(webhook: Webhook, text: str, *, json: bool) -> None:
    as_json({"id": webhook.id, "url": webhook.url, "secret": webhook.secret}) if json else click.echo(text)


def _set_paused(catalog_key: str, webhook_id: str, *, paused: bool) -> None:
    webhook, _ = current_services().webhooks(catalog_key).change_once(webhook_id, private=True, paused=paused)
    if webhook is None:
        raise click.ClickException(f"{catalog_key} has no webhook {webhook_id}")


def _found(catalog_key: str, webhook_id: str) -> Webhook:
    check_known(catalog_key)
    webhook = current_services().webhooks(catalog_key).get(webhook_id)
    if webhook is None:
        raise click.ClickException(f"{catalog_key} has no webhook {webhook_id}")
    return webhook


def _state(webhook: Webhook, trouble: Trouble | None) -> str:
    if webhook.paused:
        return "paused"
    if trouble is None:
        return "ok"
    what = "given up" if trouble.given_up else f"failing since {iso(trouble.since_ms)}"
    failures = "1 failure" if trouble.failures == 1 else f"{trouble.failures} failures"
    return f"{what} ({failures}: {trouble.reason})"
