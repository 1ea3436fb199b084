"""Create the Celery app of the workers (their composition root): ``celery -A workers.app:celery worker``."""

from __future__ import annotations

import functools
import gc
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import structlog
from celery import Celery, bootsteps

from shared.catalog.read_sizes import ReadSizes
from shared.catalog.reader import Catalog
from shared.clock import now_ms
from shared.doorbell import DRAIN_JOB, QUEUE, Doorbell, choose_broker_url, doorbell_app
from shared.errors import Misconfigured
from shared.exports.export_records import Exports
from shared.exports.files import ExportFiles
from shared.outbox.mail_server import MailServer
from shared.outbox.outbox import Outbox, Outboxes
from shared.outbox.webhooks import Webhooks
from shared.partition.backlog import Backlog
from shared.partition.claim import Claim
from shared.partition.heartbeats import Heartbeats
from shared.partition.retention import Retention
from shared.settings import Settings
from shared.store.client import LONGEST_CALL_S, connect
from shared.tasks.records import Tasks
from shared.tasks.reports import Reports
from shared.telemetry import metrics, spans
from shared.telemetry.logs import configure_logs
from workers import jobs
from workers.celery_settings import celery_settings
from workers.count.field_counter import FieldCounter
from workers.deliver.deliverer import Deliverer
from workers.deliver.dispatcher import Dispatcher
from workers.deliver.mailing import Mailing
from workers.drain.drainer import Drainer
from workers.drain.puller import Puller
from workers.drain.sweep import Sweep
from workers.drain.task_spans import TaskSpans
from workers.drain.trimming import Trimmer
from workers.drain.watchdog import Watchdog
from workers.export.exporter import Exporter

log = structlog.get_logger()


def create_celery(settings: Settings) -> Celery:
    """Create the worker with its jobs, its sweep and their dependencies."""
    if settings.redis_url is None:
        raise Misconfigured("SLUICE_REDIS_URL is not set; `make up` starts a server of its own and sets it")
    configure_logs(settings.log_level)
    broker_url = choose_broker_url(settings.broker_url, settings.redis_url)
    celery = Celery("sluice", broker=broker_url)
    celery.conf.update(celery_settings(broker_url, queue=QUEUE, job=DRAIN_JOB))
    build_puller = functools.partial(_build_puller, settings, settings.redis_url, broker_url)
    build_sweep = functools.partial(_build_sweep, settings, settings.redis_url, build_puller)

    @functools.cache
    def puller_of(pid: int) -> Puller:
        # Once in each process: the garbage collector need not look through what was imported again and again.
        gc.freeze()
        return build_puller(_holder(pid))

    class SweepStep(bootsteps.StartStopStep):
        """Runs the sweep while the worker runs."""

        def start(self, parent: Any) -> None:
            if settings.metrics_port is not None:
                metrics.serve(settings.host, settings.metrics_port)
            self.sweep = build_sweep()
            self.sweep.start()

        def stop(self, parent: Any) -> None:
            self.sweep.stop(timeout_s=settings.lease_ttl_s)

    postman = _build_dispatcher(settings, settings.redis_url)

    class OutboxStep(bootsteps.StartStopStep):
        """Delivers notifications while the worker runs."""

        def start(self, parent: Any) -> None:
            # On a thread of its own: a mail server that does not answer must not hold up the start.
            threading.Thread(target=_warn_of_mail, args=(settings,), name="mail check", daemon=True).start()
            postman.start()

        def stop(self, parent: Any) -> None:
            postman.stop()

    jobs.register(celery, lambda: puller_of(os.getpid()))
    celery.steps["worker"].update((SweepStep, OutboxStep, _counter_step(settings, settings.redis_url)))
    return celery


def _build_puller(
    settings: Settings,
    redis_url: str,
    broker_url: str,
    holder: str,
    *,
    swept: bool = False,
    stopping: Callable[[], bool] = lambda: False,
) -> Puller:
    client = connect(redis_url)
    backlog = Backlog(client)
    bell = Doorbell(doorbell_app(broker_url), broker_url, needless=backlog.is_watched)
    drainer = Drainer(
        functools.partial(Claim, client, settings, holder),
        functools.partial(Catalog, client, sizes=ReadSizes()),
        _build_exporter(settings, client),
        backlog,
        bell,
        settings,
        clock=now_ms,
        stopping=stopping,
        watchdog=Watchdog(settings.lease_ttl_s + LONGEST_CALL_S),
        swept=swept,
        task_spans=TaskSpans(functools.partial(Tasks, client)) if spans.are_on() else None,
    )
    return Puller(drainer, backlog, bell, clock=now_ms)


def _build_sweep(settings: Settings, redis_url: str, build_puller: Callable[..., Puller]) -> Sweep:
    holder, client, stop = _holder(os.getpid()), connect(redis_url), threading.Event()
    open_retention = functools.partial(Retention, client, settings)
    return Sweep(
        build_puller(holder, swept=True, stopping=stop.is_set),
        Backlog(client),
        Heartbeats(client),
        open_retention,
        _build_exporter(settings, client),
        Trimmer(client, Backlog(client), open_retention),
        settings,
        holder=holder,
        clock=now_ms,
        stop=stop,
    )


def _counter_step(settings: Settings, redis_url: str) -> type[bootsteps.StartStopStep]:
    class CounterStep(bootsteps.StartStopStep):
        """Counts the fields of items while the worker runs."""

        def start(self, parent: Any) -> None:
            holder, client = _holder(os.getpid()), connect(redis_url)
            self.counter = FieldCounter(client, holder=holder, clock=now_ms, stop=threading.Event())
            if settings.field_stats == "on":
                self.counter.start()

        def stop(self, parent: Any) -> None:
            self.counter.stop()

    return CounterStep


def _build_exporter(settings: Settings, client: Any) -> Exporter:
    return Exporter(functools.partial(Exports, client, settings), ExportFiles(settings))


def _build_dispatcher(settings: Settings, redis_url: str) -> Dispatcher:
    client = connect(redis_url)
    mailing = None
    if settings.smtp_url is not None:
        server, open_reports = MailServer.parse(settings.smtp_url), functools.partial(Reports, client)
        mailing = Mailing(server, settings.mail_from, settings.public_url, open_reports)
    deliverer = Deliverer(
        functools.partial(Outbox, client),
        functools.partial(Webhooks, client),
        mailing,
        private=settings.webhook_private == "allow",
        clock=now_ms,
    )
    return Dispatcher(deliverer, Outboxes(client), every_s=settings.sweep_s, clock=now_ms, stop=threading.Event())


def _warn_of_mail(settings: Settings) -> None:
    """Log a warning if the mail server does not take us."""
    if settings.smtp_url and (problem := MailServer.parse(settings.smtp_url).problem()):
        log.warning("no mail can be sent", action="mail", error=problem)


def _holder(pid: int) -> str:
    """Return the name of a process as an owner of partitions, for people."""
    return f"{socket.gethostname()}:{pid}"


spans.configure(os.environ, service="sluice-worker")
celery = create_celery(Settings.from_env(os.environ))
