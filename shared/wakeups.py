"""The doorbell: tell a worker, through Celery, that a partition has work.  A hint: it may be lost or doubled."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from celery import Celery
from kombu import Connection, Producer
from kombu.utils.uuid import uuid

from shared import metrics
from shared.errors import Misconfigured
from shared.store import needs_broker

log = structlog.get_logger()

#: Name of the job that drains a partition; its one argument is the catalog key.
DRAIN_JOB = "ingest.drain_partition"
#: The Celery queue of wake-ups.
QUEUE = "ingest"

#: Seconds a broker has to answer; a dead one would otherwise hold the bell for long.
BROKER_TIMEOUT_S = 1
#: Seconds without ringing after the broker failed, or has enough: the sweep finds the work meanwhile.
BREAK_S = 2.0
#: Rings that nobody took yet, beyond which one more is no use: who takes one looks at all that waits.  Each process
#: counts them after so many of its own; workers that were away for a night do not come back to a million.
ENOUGH_RINGS = 100
#: Rings that may wait for the broker; more are dropped, and the sweep finds the work.
WAITING_RINGS = 10_000


class Bell:
    """Rings for partitions, on a thread of its own: ringing never delays or fails the caller."""

    def __init__(self, app: Celery, broker_url: str, *, needless: Callable[[], bool] = lambda: False) -> None:
        """Prepare; ``needless`` is asked before each ring whether the work will be found without it.

        It may have waited: for the broker, behind others.
        """
        self._app = app
        self._needless = needless
        self._broker_url = broker_url
        self._rings: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._ringer_pid = 0
        # Celery and kombu import what ringing needs when they are first asked for it, a tenth of a second that no
        # batch should wait for: ask now.  If that fails, ringing will, and tells of it.
        with contextlib.suppress(Exception):
            app.amqp.queues  # noqa: B018
            Connection(broker_url).get_transport_cls()

    def reachable(self) -> bool:
        """Ask the broker whether it is there; takes BROKER_TIMEOUT_S at most, or little more."""
        try:
            self._connect().close()
            return True
        # Whatever the broker's library raises, it is not there.
        except Exception:
            return False

    def ring(self, catalog_key: str) -> None:
        """Wake a worker for this catalog, soon; or not, if the broker is away."""
        if self._ringer_pid != os.getpid():
            self._start()
        if self._rings.qsize() < WAITING_RINGS:
            self._rings.put(catalog_key)

    def _start(self) -> None:
        """Start the thread, once in each process: threads do not survive a fork."""
        with self._guard:
            if self._ringer_pid != os.getpid():
                self._rings = queue.SimpleQueue()
                threading.Thread(target=self._run, name="bell", daemon=True).start()
                self._ringer_pid = os.getpid()

    def _run(self) -> None:
        producer: Producer | None = None
        silent_until, uncounted = 0.0, 0
        while True:
            catalog_key = self._rings.get()
            if time.monotonic() < silent_until:
                continue
            behind = self._rings.qsize()
            try:
                if self._needless():
                    # What is true of this one is true of those that were there when it was asked.
                    for _ in range(behind):
                        self._rings.get()
                    continue
                producer = producer or self._connect()
                if uncounted >= ENOUGH_RINGS:
                    if self._count(producer) >= ENOUGH_RINGS:
                        silent_until = time.monotonic() + BREAK_S
                        continue
                    uncounted = 0
                self._send(producer, catalog_key)
                uncounted += 1
            # Whatever the broker's or the store's library raises, the answer is the same: be silent for a while.
            except Exception as error:
                log.warning("cannot ring", action="ring", catalog_key=catalog_key, error=str(error))
                metrics.RINGS_FAILED.inc()
                producer, silent_until = None, time.monotonic() + BREAK_S

    def _count(self, producer: Producer) -> int:
        """Count the rings that nobody took yet."""
        queue: Any = self._app.amqp.queues[QUEUE]
        return int(queue.queue_declare(channel=producer.channel).message_count)

    def _send(self, producer: Producer, catalog_key: str) -> None:
        """Send what Celery's `send_task` sends, for half its price: it looks up again each time what never changes."""
        amqp = self._app.amqp
        job = amqp.as_task_v2(uuid(), DRAIN_JOB, args=(catalog_key,), ignore_result=True)
        producer.publish(
            job.body,
            # To the queue by its name, through no exchange.
            routing_key=QUEUE,
            declare=[amqp.queues[QUEUE]],
            serializer="json",
            headers=job.headers,
            **job.properties,
        )

    def _connect(self) -> Producer:
        """Open a connection; raises whatever the broker's library does."""
        options: dict[str, Any] = {}
        if self._broker_url.startswith("redis"):
            options = {"socket_connect_timeout": BROKER_TIMEOUT_S, "socket_timeout": BROKER_TIMEOUT_S}
        connection = Connection(self._broker_url, connect_timeout=BROKER_TIMEOUT_S, transport_options=options)
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_TIMEOUT_S)
        return Producer(connection.default_channel)


def broker_url_for(redis_url: str) -> str:
    """Name the broker that lies beside the store: the same server, the next logical database.

    Raises Misconfigured where there is none: Celery has no way to talk to a cluster.
    """
    if needs_broker(redis_url):
        raise Misconfigured(
            "SLUICE_BROKER_URL is not set: Celery has no transport for a Redis Cluster, and none for Sentinel that an"
            " address alone describes; name a Redis of its own or RabbitMQ"
        )
    if redis_url.startswith("unix://"):
        path, _, query = redis_url.removeprefix("unix://").partition("?")
        database = next((part[3:] for part in query.split("&") if part.startswith("db=")), "0")
        return f"redis+socket://{path}?virtual_host={int(database) + 1}"
    base, _, query = redis_url.partition("?")
    scheme, _, rest = base.partition("://")
    host, _, database = rest.partition("/")
    return f"{scheme}://{host}/{int(database or 0) + 1}" + (f"?{query}" if query else "")


def doorbell_app(broker_url: str) -> Celery:
    """Make a Celery app that can only ring."""
    app = Celery("sluice", broker=broker_url)
    app.conf.update(
        task_serializer="json", accept_content=["json"], task_default_queue=QUEUE, **queue_settings(broker_url)
    )
    return app


def queue_settings(broker_url: str) -> dict[str, Any]:
    """Make those of Celery's settings that both who rings and who listens must have alike."""
    if broker_url.startswith(("amqp", "pyamqp")):
        # Of a cluster of RabbitMQ, any member may go: classic queues live on one.
        return {"task_default_queue_type": "quorum"}
    return {}
