"""Create the Celery app of the sink workers: ``celery -A workers.sink_app:celery worker --pool threads``.

A queue and processes of their own: a dead destination delays neither ingestion nor, as it holds one thread at most, the
other sinks.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import Any

from celery import Celery, bootsteps

from shared.clock import now_ms
from shared.doorbell import choose_broker_url
from shared.errors import Misconfigured
from shared.partition.backlog import Backlog
from shared.settings import Settings
from shared.sinks.sinks import SinkName
from shared.store.client import connect
from shared.telemetry.logs import configure_logs
from workers.celery_settings import celery_settings
from workers.sinks.giving_way import GivingWay
from workers.sinks.sink_sweep import SinkSweep
from workers.sinks.sink_turns import TURN_S, SinkTurns

#: Name of the job; its arguments are the catalog key and the name of the sink.
DELIVER_JOB = "sinks.deliver"
#: The Celery queue of its jobs.
QUEUE = "sinks"


def create_celery(settings: Settings) -> Celery:
    """Create a sink worker with its job, its sweep and their dependencies."""
    if settings.redis_url is None:
        raise Misconfigured("SLUICE_REDIS_URL is not set; `make up` starts a server of its own and sets it")
    configure_logs(settings.log_level)
    broker_url = choose_broker_url(settings.broker_url, settings.redis_url)
    celery = Celery("sluice-sinks", broker=broker_url)
    celery.conf.update(celery_settings(broker_url, queue=QUEUE, job=DELIVER_JOB))
    stop, client = threading.Event(), connect(settings.redis_url)
    holder = f"{socket.gethostname()}:{os.getpid()}"
    backlog = Backlog(client)
    giving_way = GivingWay(lambda: backlog.moves(now_ms()), stop.wait)
    turns = SinkTurns(client, settings, holder, clock=now_ms, stopping=stop.is_set, give_way=giving_way.step)

    @celery.task(name=DELIVER_JOB, queue=QUEUE, ignore_result=True, acks_late=False)
    def deliver(catalog_key: str, name: str) -> str:
        """Deliver to one sink for a while."""
        return turns.turn(SinkName(catalog_key, name))

    def send(name: SinkName) -> None:
        celery.send_task(DELIVER_JOB, args=tuple(name), queue=QUEUE, retry=False, ignore_result=True)

    class SinkSweepStep(bootsteps.StartStopStep):
        """Runs the sweep while the worker runs."""

        def start(self, parent: Any) -> None:
            _come_last()
            self.sweep = SinkSweep(
                client, send, turns.turn, clock=now_ms, stop=stop, close_others=turns.connections.close_others
            )
            self.sweep.start()

        def stop(self, parent: Any) -> None:
            self.sweep.stop(timeout_s=TURN_S)
            turns.close()

    celery.steps["worker"].add(SinkSweepStep)
    return celery


def _come_last() -> None:
    """Have this thread, and those that it starts, take only what processor time others leave: ingestion comes first."""
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)


celery = create_celery(Settings.from_env(os.environ))
