"""The part of the command line about whole catalogs."""

from __future__ import annotations

from typing import cast

import click
from flask import current_app
from flask.cli import AppGroup

from api.cli_webhooks import key_argument
from api.services import EXTENSION, Services
from shared.copying import copy_catalog, delete_catalog
from shared.store import check_server, connect


@click.group(cls=AppGroup)
def catalogs() -> None:
    """Catalogs as a whole: taken to another store, deleted.  Nobody may send to them meanwhile."""


@catalogs.command("copy")
@key_argument
@click.argument("url", metavar="URL")
def copy_to(catalog_key: str, url: str) -> None:
    """Copy a catalog with its tasks to the store of another SLUICE_REDIS_URL."""
    tools = _services()
    try:
        target = connect(url)
    except ValueError as problem:
        raise click.BadParameter(str(problem), param_hint="URL") from problem
    check_server(target)
    count = copy_catalog(tools.client, target, catalog_key, now_ms=tools.clock())
    click.echo(f"copied {count} keys; tokens are not copied")


@catalogs.command("delete")
@key_argument
@click.confirmation_option(prompt="Its entries, its tasks and what was sent with them will be gone. Go on?")
def delete_all(catalog_key: str) -> None:
    """Delete everything of a catalog but the tokens for it."""
    click.echo(f"deleted {delete_catalog(_services().client, catalog_key)} keys")


def _services() -> Services:
    return cast(Services, current_app.extensions[EXTENSION])
