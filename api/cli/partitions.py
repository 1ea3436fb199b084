"""``sluice partitions``: list partitions and settle a stuck one."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterable

import click
from flask.cli import AppGroup

from api.cli.catalog_key import key_argument
from api.cli.context import check_known
from api.cli.output import json_option, table
from api.services import Services, current_services
from shared.admin.stuck import Decision, settle_stuck
from shared.partition.backlog import PAGE


@click.group(cls=AppGroup, invoke_without_command=True)
@click.pass_context
def partitions(context: click.Context) -> None:
    """Show partitions, their backlogs and owners, and settle stuck ones."""
    if context.invoked_subcommand is None:
        context.invoke(list_partitions)


@partitions.command("list")
@click.option("--all", "everything", is_flag=True, help="Include partitions without a backlog.")
@json_option
def list_partitions(everything: bool, json: bool) -> None:
    """List the partitions with a backlog, longest-waiting first."""
    services, now_ms = current_services(), current_services().clock()
    rows = []
    for catalog_key in _catalog_keys(services, everything=everything):
        state = services.partition_state(catalog_key)
        waited_s = None if state.oldest_ms is None else state.age_s(now_ms)
        owner = state.holder or ("stuck" if state.stuck else None)
        if everything or state.tasks:
            rows.append((catalog_key, state.tasks, state.bytes, state.head, waited_s, state.stalls, owner))
    table(("KEY", "TASKS", "BYTES", "HEAD", "OLDEST S", "STALLS", "OWNER"), rows, json=json)


@partitions.command("retry")
@key_argument
def retry_partition(catalog_key: str) -> None:
    """Retry a stuck partition, after fixing the cause."""
    task_id = _settle(catalog_key, Decision.RETRY)
    click.echo(f"task {task_id} is retried")


@partitions.command("skip")
@key_argument
@click.confirmation_option(prompt="The part of the task that was applied stays; the rest is never applied. Continue?")
def skip_partition(catalog_key: str) -> None:
    """Skip the task at which a partition is stuck: it ends as FAILED and the next one goes on."""
    task_id = _settle(catalog_key, Decision.SKIP)
    click.echo(f"task {task_id} is skipped; its error says how much of it was applied")


def _settle(catalog_key: str, decision: Decision) -> int:
    check_known(catalog_key)
    services, who = current_services(), f"{getpass.getuser()}@{socket.gethostname()}"
    return settle_stuck(services.client, services.settings, catalog_key, decision, who=who, now_ms=services.clock())


def _catalog_keys(services: Services, *, everything: bool) -> Iterable[str]:
    skip, page = 0, services.backlog.known if everything else services.backlog.waiting
    while found := page(skip=skip):
        yield from found
        skip += PAGE
