"""The composition root of the workers: ``celery -A workers.app:celery worker``."""

from __future__ import annotations

import functools
import gc
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

from celery import Celery, bootsteps
from kombu import Exchange, Queue

from shared import metrics
from shared.backlog import Backlog
from shared.catalogs import Catalog
from shared.clock import now_ms
from shared.errors import Misconfigured
from shared.export_files import ExportFiles
from shared.exports import Exports
from shared.heartbeats import Heartbeats
from shared.logs import configure_logs
from shared.outbox import Outbox, Outboxes
from shared.partitions import Partition
from shared.settings import Settings
from shared.store import LONGEST_CALL_S, connect
from shared.wakeups import DRAIN_JOB, QUEUE, Bell, broker_url_for, doorbell_app, queue_settings
from shared.webhooks import Webhooks
from workers import jobs
from workers.delivering import Deliverer, Mailing
from workers.drain import Drainer
from workers.exports import Exporter
from workers.mail import MailServer
from workers.observed import ObservedPartition, SweptPartition
from workers.outbox import Postman
from workers.pull import Puller
from workers.sweep import Sweep
from workers.trimming import Trimmer
from workers.watchdog import Watchdog


def create_celery(settings: Settings) -> Celery:
    """Build the worker: its jobs, its sweep, and all they use."""
    if settings.redis_url is None:
        raise Misconfigured("SLUICE_REDIS_URL is not set; `make up` starts a server of its own and sets it")
    configure_logs(settings.log_level)
    redis_url, broker_url = settings.redis_url, settings.broker_url or broker_url_for(settings.redis_url)
    celery = Celery("sluice", broker=broker_url)
    celery.conf.update(_configuration(broker_url))

    def build_puller(
        holder: str, partition: type[Partition] = ObservedPartition, stopping: Callable[[], bool] = lambda: False
    ) -> Puller:
        client = connect(redis_url)
        backlog = Backlog(client)
        bell = Bell(doorbell_app(broker_url), broker_url, needless=backlog.is_watched)
        drainer = Drainer(
            functools.partial(partition, client, settings),
            functools.partial(Catalog, client),
            _build_exporter(settings, client),
            backlog,
            bell,
            settings,
            holder=holder,
            clock=now_ms,
            stopping=stopping,
            watchdog=Watchdog(settings.lease_ttl_s + LONGEST_CALL_S),
        )
        return Puller(drainer, backlog, bell)

    def build_sweep() -> Sweep:
        holder, client, stop = _holder(os.getpid()), connect(redis_url), threading.Event()
        open_partition = functools.partial(Partition, client, settings)
        return Sweep(
            build_puller(holder, SweptPartition, stop.is_set),
            Backlog(client),
            Heartbeats(client),
            open_partition,
            _build_exporter(settings, client),
            Trimmer(client, Backlog(client), open_partition),
            settings,
            holder=holder,
            clock=now_ms,
            stop=stop,
        )

    @functools.cache
    def puller_of(pid: int) -> Puller:
        # Once in each process: the garbage collector need not look through what was imported again and again.
        gc.freeze()
        return build_puller(_holder(pid))

    class SweepStep(bootsteps.StartStopStep):
        """Runs the sweep as long as the worker runs."""

        def start(self, parent: Any) -> None:
            if settings.metrics_port is not None:
                metrics.serve(settings.host, settings.metrics_port)
            self.sweep = build_sweep()
            self.sweep.start()

        def stop(self, parent: Any) -> None:
            self.sweep.stop(timeout_s=settings.lease_ttl_s)

    postman = _build_postman(settings, redis_url)

    class OutboxStep(bootsteps.StartStopStep):
        """Tells outside what ended, as long as the worker runs."""

        def start(self, parent: Any) -> None:
            postman.start()

        def stop(self, parent: Any) -> None:
            postman.stop()

    jobs.register(celery, lambda: puller_of(os.getpid()))
    celery.steps["worker"].update((SweepStep, OutboxStep))
    return celery


def _build_exporter(settings: Settings, client: Any) -> Exporter:
    return Exporter(functools.partial(Exports, client, settings), ExportFiles(settings))


def _build_postman(settings: Settings, redis_url: str) -> Postman:
    client = connect(redis_url)
    server = None if settings.smtp_url is None else MailServer.parse(settings.smtp_url)
    deliverer = Deliverer(
        functools.partial(Outbox, client),
        functools.partial(Webhooks, client),
        Mailing(server, settings.mail_from),
        private=settings.webhook_private == "allow",
        clock=now_ms,
    )
    return Postman(deliverer, Outboxes(client), every_s=settings.sweep_s, clock=now_ms, stop=threading.Event())


def _holder(pid: int) -> str:
    """Name a process as the owner of a partition, for people to read."""
    return f"{socket.gethostname()}:{pid}"


def _configuration(broker_url: str) -> dict[str, Any]:
    """Celery's settings; a job is a hint that carries a catalog key, so nothing about it needs to be safe."""
    configuration: dict[str, Any] = {
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_default_queue": QUEUE,
        "task_routes": {DRAIN_JOB: {"queue": QUEUE}},
        "task_ignore_result": True,
        "task_acks_late": False,
        "worker_prefetch_multiplier": 1,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # The broker refuses writes while its memory or disk is full: wait for it, as if it were away.
        "broker_channel_error_retry": True,
        "broker_connection_timeout": 2,
        "worker_hijack_root_logger": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "enable_utc": True,
        **queue_settings(broker_url),
    }
    if broker_url.startswith("redis"):
        configuration["worker_disable_prefetch"] = True
        # What is not acknowledged need not be noted in the broker: half its work, and none when its memory is full,
        # which would end the worker.
        configuration["task_queues"] = [Queue(QUEUE, Exchange(QUEUE), routing_key=QUEUE, no_ack=True)]
    return configuration


celery = create_celery(Settings.from_env(os.environ))
