"""The ``sluice`` command line, for operators."""

from __future__ import annotations

import dataclasses
import os
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shared.clock import now_ms
from shared.errors import SluiceError
from shared.settings import CREDENTIALS_PATH_FILE, STORE_URL_FILE, Settings

if TYPE_CHECKING:
    from flask import Flask

#: Where each command is that works on the store.
ON_STORE = {
    "catalogs": "api.cli.catalogs:catalogs",
    "credentials": "api.cli.credentials:credentials",
    "doctor": "api.cli.doctor:doctor",
    "export": "api.cli.exports:export",
    "partitions": "api.cli.partitions:partitions",
    "sinks": "api.cli.sinks:sinks",
    "store": "api.cli.store:store",
    "top": "api.cli.top:top",
    "webhooks": "api.cli.webhooks:webhooks",
}
#: Where each of the others is: most ask a Sluice over HTTP.
COMMANDS = ON_STORE | {
    "completion": "api.cli.completion:completion",
    "cursors": "api.cli.remote.cursors:cursors",
    "delete": "api.cli.remote.entries:delete",
    "get": "api.cli.remote.entries:get",
    "guards": "api.cli.remote.guards:guards",
    "items": "api.cli.remote.items:items",
    "patch": "api.cli.remote.entries:patch",
    "put": "api.cli.remote.entries:put",
    "settings": "api.cli.settings:show_settings",
    "tasks": "api.cli.remote.tasks:tasks",
    "upload": "api.cli.remote.upload:upload",
}


class LazyGroup(click.Group):
    """Imports a command when it is used: most need neither Flask nor the store's client, which take a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command


def _with_services() -> Flask:
    """Make an app without routes for the commands on the store."""
    from flask import Flask

    from api.services import EXTENSION, create_services

    settings = Settings.from_env(os.environ)
    embedded = settings.data_dir / STORE_URL_FILE
    if settings.redis_url is None and embedded.is_file():
        settings = dataclasses.replace(settings, redis_url=embedded.read_text())
        named = settings.data_dir / CREDENTIALS_PATH_FILE
        if not settings.credentials and settings.credentials_file is None and named.is_file():
            # Not simply the file of the first credential: it may lie there from an earlier stack.
            taken = Path(named.read_text())
            settings = dataclasses.replace(settings, credentials_file=taken if taken.is_file() else None)
    app = Flask("sluice")
    app.extensions[EXTENSION] = create_services(settings, clock=now_ms)
    return app


@click.group(cls=LazyGroup)
@click.version_option(version("sluice"), prog_name="sluice")
@click.pass_context
def sluice(context: click.Context) -> None:
    """Administer Sluice, on the store of SLUICE_REDIS_URL or the embedded one of the local data folder."""
    if os.environ.get("NO_COLOR"):
        context.color = False
    if context.invoked_subcommand in ON_STORE:
        from flask.cli import ScriptInfo

        # Made when such a command begins, so that its help needs no store.
        context.obj = ScriptInfo(create_app=_with_services)


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
