"""The ``sluice`` command line, for operators."""

from __future__ import annotations

import dataclasses
import os
import sys
from importlib.metadata import version

import click
from flask import Flask
from flask.cli import ScriptInfo

from api.app import create_app
from api.cli.catalogs import catalogs
from api.cli.completion import completion
from api.cli.credentials import credentials
from api.cli.doctor import doctor
from api.cli.exports import export
from api.cli.partitions import partitions
from api.cli.remote.cursors import cursors
from api.cli.remote.entries import delete, get, patch, put
from api.cli.remote.guards import guards
from api.cli.remote.items import items
from api.cli.remote.tasks import tasks
from api.cli.remote.upload import upload
from api.cli.sinks import sinks
from api.cli.store import store
from api.cli.top import top
from api.cli.webhooks import webhooks
from shared.errors import SluiceError
from shared.settings import STORE_URL_FILE, Settings, settings_table


def _create_app() -> Flask:
    settings = Settings.from_env(os.environ)
    embedded = settings.data_dir / STORE_URL_FILE
    if settings.redis_url is None and embedded.is_file():
        settings = dataclasses.replace(settings, redis_url=embedded.read_text())
    return create_app(settings)


@click.group()
@click.version_option(version("sluice"), prog_name="sluice")
@click.pass_context
def sluice(context: click.Context) -> None:
    """Administer Sluice, on the store of SLUICE_REDIS_URL or the embedded one of the local data folder."""
    # Made by the commands that need the store, so that help needs none.
    context.obj = ScriptInfo(create_app=_create_app)


# Created without an application, so that it needs no store.
@click.command("settings")
def show_settings() -> None:
    """Print all settings of this version with their defaults and meanings."""
    click.echo(f"Settings of Sluice {version('sluice')}\n\n{settings_table()}")


LOCAL = (catalogs, completion, credentials, doctor, export, partitions, show_settings, sinks, store, top, webhooks)
REMOTE = (cursors, delete, get, guards, items, patch, put, tasks, upload)
for command in (*LOCAL, *REMOTE):
    sluice.add_command(command)


def main() -> None:
    """Run the command line; print errors that an operator can fix in one line."""
    try:
        sluice(prog_name="sluice")
    except SluiceError as error:
        print(f"sluice: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        print(f"sluice: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
