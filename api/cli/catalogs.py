"""``sluice catalogs``: copy and delete whole catalogs."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from api.cli.catalog_key import key_argument
from api.cli.context import check_known
from api.services import current_services
from shared.admin.copying import copy_catalog, delete_catalog
from shared.store.client import check_server, connect


@click.group(cls=AppGroup)
def catalogs() -> None:
    """Copy or delete whole catalogs.  Stop sending to them first."""


@catalogs.command("copy")
@key_argument
@click.argument("url", metavar="URL")
def copy_to(catalog_key: str, url: str) -> None:
    """Copy a catalog and its tasks to the store at URL."""
    services = current_services()
    check_known(catalog_key)
    try:
        target = connect(url)
    except ValueError as problem:
        raise click.BadParameter(str(problem), param_hint="URL") from problem
    check_server(target)
    count = copy_catalog(services.client, target, catalog_key, now_ms=services.clock())
    click.echo(f"copied {count} keys; tokens are not copied")


@catalogs.command("delete")
@key_argument
@click.confirmation_option(prompt="This deletes its entries, its tasks and their payloads. Continue?")
def delete_all(catalog_key: str) -> None:
    """Delete everything of a catalog except its tokens."""
    check_known(catalog_key)
    click.echo(f"deleted {delete_catalog(current_services().client, catalog_key)} keys")
