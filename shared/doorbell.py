"""The doorbell: send wake-ups to workers through Celery.  A wake-up is a hint: it may be lost or duplicated."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

import structlog
from celery import Celery
from kombu import Connection, Producer
from kombu.utils.uuid import uuid

from shared.errors import Misconfigured
from shared.store.client import needs_broker
from shared.telemetry import metrics

log = structlog.get_logger()

#: Name of the job that drains a partition; its one argument is the catalog key.
DRAIN_JOB = "ingest.drain_partition"
#: The Celery queue of wake-ups.
QUEUE = "ingest"

#: Seconds a broker has to answer; a dead one would otherwise block for long.
BROKER_TIMEOUT_S = 1
#: Seconds without wake-ups after the broker failed, or has enough of them: the sweep finds the work meanwhile.
BREAK_S = 2.0
#: Seconds without wake-ups after one was needless: a worker that is awake is seldom asleep before.  Where it is awake
#: on and off, wake-ups would come in hundreds a second.  And after one was sent ahead: a worker is awake by then.
WATCHED_S = 0.02
#: Seconds without work after which a wake-up goes ahead of it: whoever was awake is likely asleep by then.
QUIET_S = 1.0
#: Untaken wake-ups beyond which more are useless: each one makes a worker check the whole backlog.  Each process counts
#: them after this many of its own, so that workers do not return to a million of them after a night.
ENOUGH_RINGS = 100
#: Most wake-ups that wait for the broker; more are dropped, and the sweep finds the work.
WAITING_RINGS = 10_000

#: As AMQP numbers it; for other brokers it means nothing.
_PERSISTENT = 2


class _Ring(NamedTuple):
    """A wake-up that is to be sent."""

    catalog_key: str
    #: The work is not stored yet.
    is_ahead: bool = False


class Doorbell:
    """Sends wake-ups for partitions on a thread of its own, so that it never delays or fails the caller."""

    def __init__(self, app: Celery, broker_url: str, *, needless: Callable[[], bool] = lambda: False) -> None:
        """``needless`` returns whether the work will be found without a wake-up.

        It is called before each that does not go ahead: a wake-up may have waited for the broker, or behind others.
        """
        self._app = app
        self._needless = needless
        self._broker_url = broker_url
        self._rings: queue.SimpleQueue[_Ring] = queue.SimpleQueue()
        self._had_work_at = float("-inf")
        self._guard, self._never = threading.Lock(), threading.Event()
        self._ringer_pid = 0
        # Celery and kombu import modules at their first use, which takes a tenth of a second: do it now, before a
        # batch waits for it.  If that fails, the first wake-up fails too and logs it.
        with contextlib.suppress(Exception):
            app.amqp.queues, self._job  # noqa: B018
            Connection(broker_url).get_transport_cls()

    def reachable(self) -> bool:
        """Return whether the broker accepts wake-ups; takes little more than BROKER_TIMEOUT_S."""
        try:
            producer = self._connect()
            self._count(producer)
            if producer.connection:
                producer.connection.release()
            return True
        # Any error of the broker's library means that it is not reachable.
        except Exception:
            return False

    @property
    def is_quiet(self) -> bool:
        """Return whether there was no work for a while in this process, so that `ring_ahead` would send a wake-up."""
        return time.monotonic() - self._had_work_at >= QUIET_S

    def ring_ahead(self, catalog_key: str) -> None:
        """Send a wake-up while work is being checked and stored, if there was none for a while.

        A worker needs longer to wake up than the work to be stored.  One that comes too early stays awake for as long
        as after work.  Whoever has stored the work calls `ring` all the same, if it has to.
        """
        is_quiet, self._had_work_at = self.is_quiet, time.monotonic()
        if is_quiet:
            self._put(_Ring(catalog_key, is_ahead=True))

    def ring(self, catalog_key: str) -> None:
        """Send a wake-up for this catalog soon, unless the broker is unreachable."""
        self._put(_Ring(catalog_key))

    def _put(self, ring: _Ring) -> None:
        if self._ringer_pid != os.getpid():
            self._start()
        if self._rings.qsize() < WAITING_RINGS:
            self._rings.put(ring)

    def _start(self) -> None:
        """Start the thread, once in each process: threads do not survive a fork."""
        with self._guard:
            if self._ringer_pid != os.getpid():
                self._rings = queue.SimpleQueue()
                threading.Thread(target=self._run, name="bell", daemon=True).start()
                self._ringer_pid = os.getpid()

    def _run(self) -> None:
        producer: Producer | None = None
        silent_until, awake_at, uncounted = 0.0, 0.0, 0
        while True:
            catalog_key, is_ahead = self._rings.get()
            now = time.monotonic()
            if now < silent_until:
                continue
            try:
                if not is_ahead:
                    self._never.wait(max(0.0, awake_at - now))
                    behind = self._rings.qsize()
                    if self._needless():
                        # If this wake-up is needless, so are all that waited at the time of the call.
                        for _ in range(behind):
                            self._rings.get()
                        self._never.wait(WATCHED_S)
                        continue
                producer = producer or self._connect()
                if uncounted >= ENOUGH_RINGS:
                    if self._count(producer) >= ENOUGH_RINGS:
                        silent_until = time.monotonic() + BREAK_S
                        continue
                    uncounted = 0
                self._send(producer, catalog_key)
                uncounted += 1
                awake_at = now + WATCHED_S if is_ahead else 0.0
            # After any error of the broker's or the store's library: pause for a while.
            except Exception as error:
                log.warning("wake-up not sent", action="wake_up", catalog_key=catalog_key, error=str(error))
                metrics.WAKEUPS_FAILED.inc()
                producer, silent_until = None, time.monotonic() + BREAK_S

    def _count(self, producer: Producer) -> int:
        """Count the wake-ups that no worker has taken yet."""
        queue: Any = self._app.amqp.queues[QUEUE]
        return int(queue.queue_declare(channel=producer.channel).message_count)

    def _send(self, producer: Producer, catalog_key: str) -> None:
        """Send the same message as Celery's `send_task`, which builds the constant parts anew each time."""
        channel: Any = producer.channel
        job, id_ = self._job, uuid()
        message = channel.prepare_message(
            json.dumps([[catalog_key], *job.body[1:]]),
            content_type="application/json",
            content_encoding="utf-8",
            headers={**job.headers, "id": id_, "root_id": id_, "argsrepr": repr((catalog_key,))},
            properties={**job.properties, "correlation_id": id_, "delivery_mode": _PERSISTENT},
        )
        # Directly to the queue by its name, without an exchange.
        channel.basic_publish(message, exchange="", routing_key=QUEUE)

    @functools.cached_property
    def _job(self) -> Any:
        """The message of a wake-up, but for what each has of its own."""
        return self._app.amqp.as_task_v2(uuid(), DRAIN_JOB, args=("",), ignore_result=True)

    def _connect(self) -> Producer:
        """Open a connection and declare the queue, which a broker may deny; raises any error of its library."""
        options: dict[str, Any] = {}
        if self._broker_url.startswith("redis"):
            options = {"socket_connect_timeout": BROKER_TIMEOUT_S, "socket_timeout": BROKER_TIMEOUT_S}
        connection = Connection(self._broker_url, connect_timeout=BROKER_TIMEOUT_S, transport_options=options)
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_TIMEOUT_S)
        producer = Producer(connection.default_channel)
        producer.maybe_declare(self._app.amqp.queues[QUEUE])
        return producer


def choose_broker_url(given: str | None, redis_url: str) -> str:
    """Return the given URL of a broker, with its login where all libraries look for it, or that beside the store."""
    if given is None:
        return broker_url_for(redis_url)
    base, _, query = given.partition("?")
    options = dict(parse_qsl(query))
    login, (scheme, _, rest) = _login(options), base.partition("://")
    if not login:
        return given
    host, slash, database = rest.partition("/")
    rest = login + host.rpartition("@")[2] + slash + database
    return f"{scheme}://{rest}" + (f"?{urlencode(options)}" if options else "")


def broker_url_for(redis_url: str) -> str:
    """Return the URL of the broker beside the store: the same server, the next logical database.

    Raises Misconfigured where there is none: Celery has no way to talk to a cluster.
    """
    if needs_broker(redis_url):
        raise Misconfigured(
            "SLUICE_BROKER_URL is not set: Celery has no transport for a Redis Cluster, and none for Sentinel that an"
            " address alone describes; name a Redis of its own or RabbitMQ"
        )
    if redis_url.startswith("unix://"):
        path, _, query = redis_url.removeprefix("unix://").partition("?")
        options = dict(parse_qsl(query))
        return f"redis+socket://{_login(options)}{path}?virtual_host={int(options.get('db', 0)) + 1}"
    base, _, query = redis_url.partition("?")
    scheme, _, rest = base.partition("://")
    host, _, database = rest.partition("/")
    # redis-py reads these from the query too, with priority; kombu does not, and would show the password.
    options = dict(parse_qsl(query))
    database = options.pop("db", database)
    if login := _login(options):
        host = login + host.rpartition("@")[2]
    return f"{scheme}://{host}/{int(database or 0) + 1}" + (f"?{urlencode(options)}" if options else "")


def _login(options: dict[str, str]) -> str:
    """Move user and password from the options of a URL to the form before a host."""
    user, password = options.pop("username", ""), options.pop("password", "")
    return f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else ""


def doorbell_app(broker_url: str) -> Celery:
    """Create a Celery app that only sends wake-ups."""
    app = Celery("sluice", broker=broker_url)
    app.conf.update(
        task_serializer="json", accept_content=["json"], task_default_queue=QUEUE, **queue_settings(broker_url)
    )
    return app


def queue_settings(broker_url: str) -> dict[str, Any]:
    """Return the Celery settings that senders and receivers of wake-ups must share."""
    if broker_url.startswith(("amqp", "pyamqp")):
        # Any member of a RabbitMQ cluster may fail: a classic queue lives on one.
        return {"task_default_queue_type": "quorum"}
    return {}
