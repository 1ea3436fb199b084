"""A store, ingresses and workers as processes of their own, which come back when they are killed.

Unlike `deploy.stack.stack` it has several of each, and lets every single process be killed, stopped and slowed down.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import redis

from deploy.stack import embedded_store
from deploy.stack.ports import LOOPBACK, base_url, free_port
from deploy.stack.services import answers_ok, greets
from shared.clock import now_ms
from shared.doorbell import broker_url_for
from shared.errors import StoreUnavailable
from shared.partition.heartbeats import Heartbeats
from shared.store.client import connect
from shared.waiting import wait_until
from tests.support.hosts import Host

ROOT = Path(__file__).parents[2]
#: Seconds for everything to be up, on a busy machine.
READY_S = 60.0
#: Sinks that one worker delivers to at a time.
SINKS_AT_A_TIME = 6
#: Seconds between two looks at who has ended.
KEEP_S = 0.1


class Member:
    """One process with what it starts; whenever it ends it is started again, until it is let go."""

    def __init__(self, name: str, command: Sequence[object], environ: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.starts = 0
        self._command = [str(part) for part in command]
        self._environ = dict(environ)
        self._log = log
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        #: Groups that may still have somebody in them.
        self._groups: set[int] = set()
        self._wanted = False
        self._not_before = 0.0

    def keep(self) -> None:
        """Start it if it is wanted and does not run."""
        with self._guard:
            if self._wanted and self._is_gone() and time.monotonic() >= self._not_before:
                with self._log.open("ab") as log:
                    self._process = subprocess.Popen(
                        self._command, env=self._environ, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
                        stderr=subprocess.STDOUT, start_new_session=True,
                        # Python ignores SIGXFSZ: so will it, and a file that may not grow is an error, not death.
                        restore_signals=False,
                    )  # fmt: skip
                self._groups.add(self._process.pid)
                self.starts += 1

    def _is_gone(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def hold_back(self, seconds: float) -> None:
        """Do not start it again for so long."""
        self._not_before = time.monotonic() + seconds

    def start(self) -> None:
        """Have it run from now on."""
        self._wanted = True
        self.keep()

    @property
    def pid(self) -> int:
        """Its process, the leader of its group; it may have ended by now."""
        assert self._process, f"{self.name} was never started"
        return self._process.pid

    def children(self) -> list[int]:
        """Name the processes that it has started."""
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = (line.split() for line in listed.splitlines())
        return [int(child) for child, parent in pairs if int(parent) == self.pid]

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send it a signal, and with ``group`` to all it has started; nobody there is no error."""
        with contextlib.suppress(ProcessLookupError):
            if group:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def stop(self, *, timeout_s: float = 20.0) -> None:
        """End it in order, and let it go."""
        self._wanted = False
        self.signal(signal.SIGTERM)
        if self._process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)

    def end(self) -> None:
        """Kill it and everything it ever started, and let it go."""
        self._wanted = False
        with self._guard:
            for group in self._groups:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
            if self._process:
                self._process.wait()

    def said(self) -> str:
        """Everything it has written so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")


class Fleet:
    """One store, with ingresses and workers on it."""

    def __init__(
        self, folder: Path, *, ingresses: int = 1, workers: int = 1, children: int = 1,
        sinks: int = 0, worker_app: str = "workers.app:celery", store: Mapping[str, Any] | None = None,
        store_environ: Mapping[str, str] | None = None, store_urls: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None, server: Path | None = None, hosts: Mapping[str, Host] | None = None,
        **settings: Any,
    ) -> None:  # fmt: skip
        """Prepare; ``settings`` as in shared/settings.py, ``store_urls`` for members that go another way, ``hosts``
        for those that run elsewhere.

        With an ``ftps_port`` there is an FTPS service, too.
        ``server`` is the store's binary if not the embedded one.  With another ``redis_url`` it is the broker only.
        """
        self.folder = folder
        self.socket_path = folder / "s.sock"
        self.store_url = self.own_url = embedded_store.store_url(self.socket_path)
        if "redis_url" in settings:
            settings["broker_url"], self.store_url = broker_url_for(self.store_url), settings["redis_url"]
        config = embedded_store.write_config(folder / "store", self.socket_path, **(store or {}))
        self._settings = settings
        self._store_urls = store_urls or {}
        self._hosts = hosts or {}
        self._environ = environ or {}
        self.store = Member(
            "store" if self.store_url == self.own_url else "broker",
            [server or embedded_store.server_binary(), config],
            {**embedded_store.environ(), **(store_environ or {})}, folder / "store.log",
        )  # fmt: skip
        #: Where the ingresses answer.
        self.urls: list[str] = []
        self.ingresses = [self._ingress(f"ingress-{number}") for number in range(ingresses)]
        self._children = children
        self.workers = [self._worker(f"worker-{number}", worker_app) for number in range(workers)]
        self.sinks = [self._sink_worker(f"sinks-{number}") for number in range(sinks)]
        self.ftps_port = int(settings.get("ftps_port", 0))
        self.ftps = [self._ftps_service()] if self.ftps_port else []
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)

    @property
    def members(self) -> list[Member]:
        return [self.store, *self.ingresses, *self.workers, *self.sinks, *self.ftps]

    def start(self) -> None:
        """Start everything and wait until it works."""
        self.store.start()
        wait_until(lambda: embedded_store.answers(self.socket_path), "the store answers", timeout_s=READY_S)
        self._keeper.start()
        for member in (*self.ingresses, *self.workers, *self.sinks, *self.ftps):
            member.start()
        self.wait_ready()

    def wait_ready(self, *, timeout_s: float = READY_S) -> None:
        """Wait until every member works."""
        wait_until(lambda: embedded_store.answers(self.socket_path), "the store answers", timeout_s=timeout_s)
        for url in self.urls:
            wait_until(lambda url=url: answers_ok(url + "/health/live"), f"{url} answers", timeout_s=timeout_s)  # type: ignore[misc]
        if self.ftps:
            wait_until(lambda: greets(LOOPBACK, self.ftps_port), "FTPS answers", timeout_s=timeout_s)
        wait_until(self._workers_beat, "the workers work", timeout_s=timeout_s)

    def limit_log(self, room_bytes: int | None) -> None:
        """Fill the store's disk: its log grows by so much at most; or, with None, as it likes."""
        most = resource.RLIM_INFINITY
        if room_bytes is not None:
            log = self.folder / "store" / "appendonlydir"
            most = max(file.stat().st_size for file in log.iterdir()) + room_bytes
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(self.store.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    def replace_workers(self, worker_app: str) -> None:
        """End the workers in order, and have others in their place."""
        for worker in self.workers:
            worker.stop()
        self.workers = [self._worker(worker.name, worker_app) for worker in self.workers]
        for worker in self.workers:
            worker.start()
        self.wait_ready()

    def end(self) -> None:
        """Kill everything."""
        self._ended.set()
        for member in reversed(self.members):
            member.end()

    def connect(self) -> redis.Redis:
        """Make a client of the store, straight to it."""
        return connect(self.store_url)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _member(self, name: str, command: Sequence[object], **settings: Any) -> Member:
        mine = {"redis_url": self._store_urls.get(name, self.store_url), **self._settings, **settings}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
        named = {f"SLUICE_{name.upper()}": str(value) for name, value in mine.items()}
        words = [*self._hosts[name].inside, *command] if name in self._hosts else command
        return Member(name, words, {**clean, **self._environ, **named}, self.folder / f"{name}.log")

    def _ingress(self, name: str) -> Member:
        address = self._hosts[name].address if name in self._hosts else LOOPBACK
        port = free_port(LOOPBACK, 0)
        self.urls.append(base_url(address, port))
        config = ROOT / "deploy" / "gunicorn.conf.py"
        return self._member(
            name, [sys.executable, "-m", "gunicorn", "--config", config, "api.wsgi:app"], host=address, port=port
        )

    def _worker(self, name: str, app: str) -> Member:
        return self._celery(name, app, "--queues", "ingest", "--concurrency", self._children)

    def _sink_worker(self, name: str) -> Member:
        how = ("--queues", "sinks", "--pool", "threads", "--concurrency", SINKS_AT_A_TIME)
        return self._celery(name, "workers.sink_app:celery", *how)

    def _ftps_service(self) -> Member:
        return self._member("ftps", [sys.executable, "-m", "api.ftps.server"])

    def _celery(self, name: str, app: str, *how: object) -> Member:
        also = ("--hostname", f"{name}@%h", "--without-gossip", "--without-mingle")
        return self._member(name, [sys.executable, "-m", "celery", "--app", app, "worker", *how, *also])

    def _workers_beat(self) -> bool:
        with contextlib.suppress(StoreUnavailable):
            alive = {int(holder.rpartition(":")[2]) for holder in Heartbeats(self.connect()).alive(now_ms())}
            return alive >= {worker.pid for worker in self.workers}
        return False

    def _keep(self) -> None:
        while not self._ended.wait(KEEP_S):
            for member in self.members:
                member.keep()


@contextlib.contextmanager
def running_fleet(folder: Path, **how: Any) -> Iterator[Fleet]:
    """Run a fleet for a while; its folder keeps the logs."""
    fleet = Fleet(folder, **how)
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.end()
