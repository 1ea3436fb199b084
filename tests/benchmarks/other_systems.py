"""The processes of the other systems: each has an API process like ours, and its own kind of worker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import redis

from deploy.stack.ports import LOOPBACK, free_port
from deploy.stack.services import answers_ok
from shared.doorbell import broker_url_for
from tests.benchmarks.bodies import body
from tests.benchmarks.http_client import Connection
from tests.benchmarks.others.effects import APPLIED, task_key
from tests.benchmarks.others.environment import BROKER_URL, POSTGRES, STORE_URL
from tests.benchmarks.postgres import Postgres
from tests.benchmarks.processes import ROOT, Process, wait_ready
from tests.benchmarks.store import Store
from tests.benchmarks.systems import System, TaskName

#: As ours: threads, kept connections, signs of life in memory.
_GUNICORN = (
    "gunicorn", "--worker-class", "gthread", "--workers", "1", "--threads", "8", "--keep-alive", "30",
    "--no-control-socket", "--worker-tmp-dir", "/dev/shm" if Path("/dev/shm").is_dir() else "/tmp",
)  # fmt: skip


class Other(System):
    """A system on a store with our configuration, which it shares with the others: one runs at a time."""

    #: The module with its API.
    module: str

    def __init__(self, folder: Path, server: Store) -> None:
        self.address = (LOOPBACK, free_port(LOOPBACK, 0))
        self.store = redis.Redis.from_url(server.url)
        self._server = server
        self._folder = folder
        self._processes: dict[str, Process] = {}
        self._environ = {**os.environ, STORE_URL: server.url, BROKER_URL: broker_url_for(server.url)}

    def worker_command(self) -> Sequence[str]:
        """Name the module and the arguments of the worker."""
        raise NotImplementedError

    def start(self) -> None:
        bind = f"{self.address[0]}:{self.address[1]}"
        self._run("worker", *self.worker_command())
        self._run("ingress", *_GUNICORN, "--bind", bind, f"tests.benchmarks.others.{self.module}:app")
        url = f"http://{bind}/health/live"
        wait_ready(lambda: answers_ok(url), self._processes["ingress"], f"the API of {self.name} answers")
        self.fresh()
        self._wait_for_worker()

    def stop(self) -> None:
        for process in self._processes.values():
            process.stop()
        self._processes = {}
        self.store.close()

    def groups(self) -> dict[str, int]:
        return {**{name: process.group for name, process in self._processes.items()}, "store": self._server.group}

    def token(self, catalog_key: str) -> str:
        return f"token-{catalog_key}"

    def all_ended(self, accepted: int) -> bool:
        return int(self.store.get(APPLIED) or 0) >= accepted  # type: ignore[arg-type]

    def ended(self, tasks: Sequence[TaskName]) -> list[bool]:
        pipeline = self.store.pipeline(transaction=False)
        for catalog_key, task_id in tasks:
            pipeline.hget(task_key(catalog_key, task_id), "status")
        return [status == b"DONE" for status in pipeline.execute()]

    def count_done(self, catalog_keys: Sequence[str]) -> int:
        return int(self.store.get(APPLIED) or 0)  # type: ignore[arg-type]

    def _run(self, part: str, *arguments: str) -> None:
        name = f"{self.module}-{part}"
        command = [sys.executable, "-m", *arguments]
        self._processes[part] = Process(name, command, self._folder, environ=self._environ)

    def _wait_for_worker(self) -> None:
        with Connection(self.address) as connection:
            answer = connection.send(self.write("PUT", "warm", body("PUT", 0, entries=1)))
        if answer.status != 200:
            raise RuntimeError(f"{self.name} answers {answer.status}\n{self._processes['ingress'].tail()}")
        wait_ready(lambda: self.all_ended(1), self._processes["worker"], f"the worker of {self.name} works")
        self.fresh()


class UsualCelery(Other):
    """Flask, marshmallow, one Celery task per batch."""

    name = "usual Celery"
    module = "celery_app"

    def worker_command(self) -> Sequence[str]:
        app = f"tests.benchmarks.others.{self.module}:celery"
        return (
            "celery", "--app", app, "worker", "--pool", "prefork", "--concurrency", "1", "--queues", "usual",
            "--without-gossip", "--without-mingle", "--loglevel", "WARNING",
        )  # fmt: skip


class Procrastinate(Other):
    """Flask, marshmallow, procrastinate with a lock per catalog on PostgreSQL."""

    name = "procrastinate"
    module = "procrastinate_app"

    def __init__(self, folder: Path, server: Store, postgres: Postgres) -> None:
        super().__init__(folder, server)
        self._postgres = postgres
        self._environ[POSTGRES] = postgres.conninfo

    def worker_command(self) -> Sequence[str]:
        app = f"tests.benchmarks.others.{self.module}.queue"
        return ("procrastinate", "--app", app, "worker", "--concurrency", "4", "--delete-jobs", "successful")

    def start(self) -> None:
        app = f"tests.benchmarks.others.{self.module}.queue"
        command = [sys.executable, "-m", "procrastinate", "--app", app, "schema", "--apply"]
        subprocess.run(command, check=True, capture_output=True, timeout=60, env=self._environ, cwd=ROOT)
        super().start()

    def groups(self) -> dict[str, int]:
        return {**super().groups(), "database": self._postgres.group}


class Unordered(Other):
    """Flask, msgspec, taskiq: no order, no status but the last."""

    name = "unordered"
    module = "taskiq_app"

    def __init__(self, folder: Path, server: Store) -> None:
        super().__init__(folder, server)
        # Spelled as redis-py does.
        self._environ[BROKER_URL] = server.url.replace("db=0", "db=1")

    def worker_command(self) -> Sequence[str]:
        app = f"tests.benchmarks.others.{self.module}:broker"
        return ("taskiq", "worker", app, "--workers", "1", "--no-parse", "--log-level", "WARNING")
