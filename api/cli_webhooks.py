"""``sluice webhooks``: whom to tell when tasks end."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup

from api.cli_tables import table
from api.services import EXTENSION, Services
from shared.clock import iso
from shared.credentials import CATALOG_KEY


def _key(_: click.Context, __: click.Parameter, value: str) -> str:
    if not CATALOG_KEY.fullmatch(value):
        raise click.BadParameter("a key has 1 to 100 characters of A-Z a-z 0-9 _ . -")
    return value


key_argument = click.argument("catalog_key", metavar="KEY", callback=_key)


def _services() -> Services:
    services: Services = current_app.extensions[EXTENSION]
    return services


@click.group(cls=AppGroup)
def webhooks() -> None:
    """Webhooks: whom to tell when tasks of a catalog end."""


@webhooks.command("add")
@key_argument
@click.argument("url")
def add_webhook(catalog_key: str, url: str) -> None:
    """Make a webhook and print its secret, once."""
    services = _services()
    private = services.settings.webhook_private == "allow"
    webhook = services.webhooks(catalog_key).add(url, private=private, now_ms=services.clock())
    click.echo(f"{webhook.id} {webhook.secret}")


@webhooks.command("list")
@key_argument
def list_webhooks(catalog_key: str) -> None:
    """List the webhooks of a catalog, without their secrets."""
    found = _services().webhooks(catalog_key).all()
    table(("ID", "CREATED", "URL"), [(webhook.id, iso(webhook.created_ms), webhook.url) for webhook in found])


@webhooks.command("remove")
@key_argument
@click.argument("webhook_id", metavar="ID")
def remove_webhook(catalog_key: str, webhook_id: str) -> None:
    """Remove a webhook; what it was still to be told is dropped."""
    if not _services().webhooks(catalog_key).remove(webhook_id):
        raise click.ClickException(f"{catalog_key} has no webhook {webhook_id}")
    click.echo("removed")


@webhooks.command("deliveries")
@key_argument
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
def list_deliveries(catalog_key: str, limit: int) -> None:
    """List the last attempts to deliver, newest first."""
    rows = [
        (
            iso(one.at_ms),
            str(one.task_id),
            one.target,
            str(one.number),
            one.outcome,
            one.error or str(one.status_code or ""),
        )
        for one in _services().outbox(catalog_key).attempts(limit)
    ]
    table(("AT", "TASK", "TARGET", "ATTEMPT", "OUTCOME", "ANSWER"), rows)
