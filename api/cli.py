"""The ``sluice`` command: what an operator does from a shell."""

from __future__ import annotations

import dataclasses
import getpass
import os
import re
import secrets
import socket
import sys
from collections.abc import Iterable
from importlib.metadata import version

import click
from flask import Flask, current_app
from flask.cli import FlaskGroup

from api.app import create_app
from api.cli_catalogs import catalogs
from api.cli_exports import export
from api.cli_tables import table
from api.cli_top import top
from api.cli_upload import upload
from api.cli_webhooks import webhooks
from api.services import EXTENSION, Services
from shared.backlog import PAGE
from shared.credentials import CATALOG_KEY, Credential, Scope, digest_of
from shared.errors import SluiceError
from shared.settings import STORE_URL_FILE, Settings
from shared.settings_reference import settings_table
from shared.stuck import Decision, settle_stuck

_NAME = re.compile(r"\S.{0,99}")


def _create_app() -> Flask:
    settings = Settings.from_env(os.environ)
    embedded = settings.data_dir / STORE_URL_FILE
    if settings.redis_url is None and embedded.is_file():
        settings = dataclasses.replace(settings, redis_url=embedded.read_text())
    return create_app(settings)


def _services() -> Services:
    services: Services = current_app.extensions[EXTENSION]
    return services


@click.group(cls=FlaskGroup, create_app=_create_app, add_default_commands=False, add_version_option=False)
@click.version_option(version("sluice"), prog_name="sluice")
def sluice() -> None:
    """Administer Sluice: the server of SLUICE_REDIS_URL, or the embedded one of the data folder here."""


@sluice.group()
def credentials() -> None:
    """Tokens: who may read and write which catalogs."""


@credentials.command("create")
@click.argument("name")
@click.argument("catalog_keys", metavar="KEY...", nargs=-1, required=True)
@click.option("--read-only", is_flag=True, help="The token may read, not write.")
def create_credential(name: str, catalog_keys: tuple[str, ...], read_only: bool) -> None:
    """Make a token for one or more catalogs and print it, once."""
    if not _NAME.fullmatch(name):
        raise click.BadParameter("a name has 1 to 100 characters and begins with a visible one")
    for catalog_key in catalog_keys:
        if not CATALOG_KEY.fullmatch(catalog_key):
            raise click.BadParameter(f"{catalog_key!r}: a key has 1 to 100 characters of A-Z a-z 0-9 _ . -")
    token = "tok-" + secrets.token_urlsafe(24)
    scope = Scope.READ if read_only else Scope.READ_WRITE
    _services().credentials.store(Credential(name, digest_of(token), dict.fromkeys(catalog_keys, scope)))
    click.echo(token)
    click.echo("Only its hash is kept: it cannot be shown again.", err=True)


@credentials.command("list")
def list_credentials() -> None:
    """List the stored credentials, without their tokens."""
    rows = [
        (credential.name, catalog_key, scope)
        for credential in _services().credentials.all()
        for catalog_key, scope in sorted(credential.scopes.items())
    ]
    table(("NAME", "KEY", "SCOPE"), rows)


@credentials.command("revoke")
@click.argument("name")
def revoke_credential(name: str) -> None:
    """Revoke the tokens of a name; running processes refuse them within a second."""
    revoked = _services().credentials.revoke(name)
    if not revoked:
        raise click.ClickException(f"there is no stored credential of the name {name!r}")
    click.echo(f"revoked {revoked}")


@sluice.group(invoke_without_command=True)
@click.pass_context
def partitions(context: click.Context) -> None:
    """Partitions: their backlog, and who drains them."""
    if context.invoked_subcommand is None:
        context.invoke(list_partitions)


@partitions.command("list")
@click.option("--all", "everything", is_flag=True, help="Those without a backlog too.")
def list_partitions(everything: bool) -> None:
    """List the partitions with a backlog, longest-waiting first."""
    services, now_ms = _services(), _services().clock()
    rows = []
    for catalog_key in _catalog_keys(services, everything=everything):
        state = services.partition(catalog_key).state()
        waited_s = "-" if state.oldest_ms is None else f"{max(0, now_ms - state.oldest_ms) / 1000:.1f}"
        owner = state.holder or ("stuck" if state.stuck else "-")
        if everything or state.tasks:
            head = "-" if state.head is None else str(state.head)
            rows.append((catalog_key, str(state.tasks), str(state.bytes), head, waited_s, str(state.stalls), owner))
    table(("KEY", "TASKS", "BYTES", "HEAD", "OLDEST S", "STALLS", "OWNER"), rows)


@partitions.command("retry")
@click.argument("catalog_key", metavar="KEY")
def retry_partition(catalog_key: str) -> None:
    """Try again where a partition is stuck, once what was wrong is mended."""
    task_id = _settle(catalog_key, Decision.RETRY)
    click.echo(f"task {task_id} is tried again")


@partitions.command("skip")
@click.argument("catalog_key", metavar="KEY")
@click.confirmation_option(prompt="What was applied of the task stays, the rest of it never will be. Go on?")
def skip_partition(catalog_key: str) -> None:
    """Give up the task at which a partition is stuck: it ends as FAILED, the next goes on."""
    task_id = _settle(catalog_key, Decision.SKIP)
    click.echo(f"task {task_id} is given up; its error says what was applied of it")


def _settle(catalog_key: str, decision: Decision) -> int:
    services, who = _services(), f"{getpass.getuser()}@{socket.gethostname()}"
    return settle_stuck(services.client, services.settings, catalog_key, decision, who=who, now_ms=services.clock())


def _catalog_keys(services: Services, *, everything: bool) -> Iterable[str]:
    skip, page = 0, services.backlog.known if everything else services.backlog.waiting
    while found := page(skip=skip):
        yield from found
        skip += PAGE


# Without an application, so that it needs no store.
@click.command("settings")
def show_settings() -> None:
    """Print the settings of this version, with their defaults and what they mean."""
    click.echo(f"Settings of Sluice {version('sluice')}\n\n{settings_table()}")


sluice.add_command(show_settings)
sluice.add_command(top)
sluice.add_command(webhooks)
sluice.add_command(catalogs)
sluice.add_command(export)
sluice.add_command(upload)


def main() -> None:
    """Run the command line; what can be mended is said in one line."""
    try:
        sluice()
    except SluiceError as error:
        print(f"sluice: {error}", file=sys.stderr)
        sys.exit(1)
