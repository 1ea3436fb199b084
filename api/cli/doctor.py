"""``sluice doctor``: check a running installation, and say what to do about what is wrong."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import click
from flask.cli import with_appcontext
from rich.console import Console

from api.cli.output import as_json, json_option
from api.monitor.overview import MOST_CATALOGS, all_catalogs, overlook
from api.monitor.units import size, span
from api.services import Services, current_services
from shared.errors import SluiceError
from shared.outbox.mail_server import MailServer
from shared.outbox.outbox import Outbox
from shared.settings import unknown_variables
from shared.store.durability import check_store
from shared.store.memory import FULL_PERCENT, TRIM_ABOVE, used_share

#: A backlog that is older than this while workers are alive is worth a look.
OLD_S = 300.0
#: A token that ends within this time is told.
SOON_MS = 7 * 24 * 3600 * 1000
#: A folder with less room than this is nearly full.
LOW_BYTES = 1024**3


class Health(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    health: Health
    subject: str
    found: str
    #: What to do; '' if nothing is to be done.
    advice: str = ""


_COLOURS = {Health.OK: "green", Health.WARNING: "yellow", Health.BROKEN: "bold red"}


@click.command()
@json_option
@with_appcontext
def doctor(json: bool) -> None:
    """Check a running installation: settings, store, workers, partitions, deliveries, tokens, mail, disk.

    Says what to do about whatever is wrong. Exit code 1 if something is broken.
    """
    services = current_services()
    findings = [finding for check in CHECKS for finding in _tried(check, services)]
    if json:
        as_json(findings)
    else:
        console = Console(highlight=False, soft_wrap=True)
        for one in findings:
            mark = f"[{_COLOURS[one.health]}]{one.health:<8}[/]"
            console.print(f"{mark} {one.subject:<11}", end="")
            console.print(f" {one.found}" + (f"\n{'':21} → {one.advice}" if one.advice else ""), markup=False)
    if any(one.health is Health.BROKEN for one in findings):
        sys.exit(1)


def _tried(check: Callable[[Services], Iterator[Finding]], services: Services) -> list[Finding]:
    try:
        return list(check(services))
    except SluiceError as error:
        advice = "see that the store runs and that SLUICE_REDIS_URL names it; runbook: SluiceStoreAway"
        return [Finding(Health.BROKEN, check.__name__.removeprefix("_"), str(error), advice)]


def _settings(services: Services) -> Iterator[Finding]:
    unknown = unknown_variables(os.environ)
    for name in unknown:
        yield Finding(
            Health.WARNING, "settings", f"{name} is no setting", "correct or remove it; see `sluice settings`"
        )
    if not unknown:
        yield Finding(Health.OK, "settings", "every SLUICE_ variable is known")


def _store(services: Services) -> Iterator[Finding]:
    warnings = check_store(services.client, services.settings.durability)
    for warning in warnings:
        yield Finding(Health.WARNING, "store", warning, "change it in the server's configuration")
    if not warnings:
        yield Finding(Health.OK, "store", "it answers, and keeps data as SLUICE_DURABILITY promises")


def _memory(services: Services) -> Iterator[Finding]:
    share = used_share(services.client)
    text = f"{share:.0%} of the store's memory is used"
    if share >= FULL_PERCENT / 100:
        yield Finding(
            Health.BROKEN, "memory", f"{text}: batches are refused", "raise maxmemory; runbook: SluiceStoreNearlyFull"
        )
    elif share >= TRIM_ABOVE:
        advice = "payloads of ended tasks are deleted early; raise maxmemory or lower SLUICE_PAYLOAD_BYTES"
        yield Finding(Health.WARNING, "memory", text, advice)
    else:
        yield Finding(Health.OK, "memory", text)


def _workers(services: Services) -> Iterator[Finding]:
    alive = services.heartbeats.alive(services.clock())
    if alive:
        yield Finding(Health.OK, "workers", f"{len(alive)} alive")
    else:
        yield Finding(
            Health.BROKEN,
            "workers",
            "none is alive: batches wait",
            "start a worker; runbook: SluiceNoWorker",
        )
    if services.doorbell.reachable():
        yield Finding(Health.OK, "broker", "it answers")
    else:
        advice = "batches are applied some seconds later; see that SLUICE_BROKER_URL names a running broker"
        yield Finding(Health.WARNING, "broker", "it does not answer", advice)


def _partitions(services: Services) -> Iterator[Finding]:
    left_out = max(0, services.backlog.count_known() - MOST_CATALOGS)
    now = overlook(services, all_catalogs(services), failures=0, left_out=left_out)
    stuck = [row.catalog_key for row in now.rows if row.state.stuck]
    for key in stuck:
        advice = f"look at it, then `sluice partitions retry {key}` or `sluice partitions skip {key}`"
        yield Finding(Health.BROKEN, "partitions", f"{key} is stuck", advice)
    if not stuck and now.oldest_s > OLD_S and now.workers:
        advice = "more workers, or one catalog with a long backlog: `sluice top`"
        yield Finding(Health.WARNING, "partitions", f"the oldest batch has waited {span(now.oldest_s * 1000)}", advice)
    elif not stuck:
        yield Finding(Health.OK, "partitions", f"{now.tasks} tasks wait, none is stuck")


def _deliveries(services: Services) -> Iterator[Finding]:
    bad = False
    for key in all_catalogs(services):
        for target, trouble in Outbox(services.client, key).troubles().items():
            bad = True
            state = "is given up" if trouble.given_up else f"has failed {trouble.failures} times in a row"
            advice = f"mend the receiver, or remove it: `sluice webhooks list {key}`"
            yield Finding(Health.WARNING, "deliveries", f"{key}: {target} {state} ({trouble.reason})", advice)
    if not bad:
        yield Finding(Health.OK, "deliveries", "no webhook and no address has failed lately")


def _tokens(services: Services) -> Iterator[Finding]:
    now_ms, stored = services.clock(), services.credentials.all()
    ending = [
        each
        for each in stored
        if each.expires_ms is not None
        and now_ms < each.expires_ms < now_ms + SOON_MS
        # One that was rotated ends as it should.
        and not any(other.name == each.name and other.created_ms > each.created_ms for other in stored)
    ]
    for each in ending:
        left = span((each.expires_ms or 0) - now_ms)
        advice = f"`sluice credentials rotate {each.id}`, and give the new one to whoever uses it"
        yield Finding(Health.WARNING, "tokens", f"{each.name} ({each.id}) expires in {left}", advice)
    if not ending:
        yield Finding(Health.OK, "tokens", "none expires within a week")


def _mail(services: Services) -> Iterator[Finding]:
    settings = services.settings
    if settings.smtp_url is None:
        return
    if problem := MailServer.parse(settings.smtp_url).problem():
        yield Finding(Health.WARNING, "mail", problem, "no mail is sent; see that SLUICE_SMTP_URL is right")
    elif settings.public_url is None:
        yield Finding(Health.WARNING, "mail", "mails have no links", "set SLUICE_PUBLIC_URL")
    else:
        yield Finding(Health.OK, "mail", "the mail server takes us")


def _disk(services: Services) -> Iterator[Finding]:
    folder = services.settings.data_dir
    if not folder.is_dir():
        yield Finding(Health.WARNING, "disk", f"{folder} is not here", "set SLUICE_DATA_DIR to the data folder")
        return
    free = shutil.disk_usage(folder).free
    text = f"{size(free)} free in {folder}"
    if free < LOW_BYTES:
        yield Finding(Health.WARNING, "disk", text, "make room: with a full disk the store refuses writes")
    else:
        yield Finding(Health.OK, "disk", text)


CHECKS = (_settings, _store, _memory, _workers, _partitions, _deliveries, _tokens, _mail, _disk)
