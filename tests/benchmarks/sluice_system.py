"""Sluice as it ships: the stack of `make up`, all settings default."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import redis

from deploy.stack.ports import LOOPBACK, free_port
from deploy.stack.services import Name
from deploy.stack.stack import Stack
from shared import keys
from shared.keys import CatalogKeys
from shared.model import Status
from tests.benchmarks.systems import System, TaskName


class Sluice(System):
    """The stack, but for Flower."""

    name = "Sluice"

    def __init__(self, folder: Path, catalog_keys: Iterable[str], **settings: str) -> None:
        """Prepare one for some catalogs; ``settings`` are SLUICE_* variables that differ from the default."""
        self.address = (LOOPBACK, free_port(LOOPBACK, 0))
        folder.mkdir(mode=0o700)
        credentials = folder / "credentials.txt"
        credentials.write_text("\n".join(f"{key}:{self.token(key)}" for key in catalog_keys))
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
        environ.update(
            SLUICE_DATA_DIR=str(folder / "data"),
            SLUICE_PORT=str(self.address[1]),
            SLUICE_CREDENTIALS_FILE=str(credentials),
            **settings,
        )
        self._stack = Stack(environ, flower=False)
        self._groups: dict[str, int] = {}

    def start(self) -> None:
        self._stack.start()
        self.store_url = self._stack.environ["SLUICE_REDIS_URL"]
        self.store = redis.Redis.from_url(self.store_url)
        pids = self._stack.pids()
        self._groups = {"ingress": pids[Name.INGRESS], "worker": pids[Name.WORKER], "store": pids[Name.STORE]}
        if Name.SINKS in pids:
            self._groups["sinks"] = pids[Name.SINKS]

    def stop(self) -> None:
        if self._groups:
            self.resume_worker()
        self._stack.stop()

    def groups(self) -> dict[str, int]:
        return self._groups

    def token(self, catalog_key: str) -> str:
        return f"token-{catalog_key}"

    def all_ended(self, accepted: int) -> bool:
        # All catalogs with a backlog, but for a moment now and then: the meter counts once more.
        return not self.store.zcard(keys.BACKLOG)

    def ended(self, tasks: Sequence[TaskName]) -> list[bool]:
        pipeline = self.store.pipeline(transaction=False)
        for catalog_key, task_id in tasks:
            pipeline.hget(CatalogKeys(catalog_key).task(task_id), "status")
        return [status == Status.DONE.encode() for status in pipeline.execute()]

    def count_done(self, catalog_keys: Sequence[str]) -> int:
        pipeline = self.store.pipeline(transaction=False)
        for catalog_key in catalog_keys:
            pipeline.zcard(CatalogKeys(catalog_key).by_status(Status.DONE))
            pipeline.zcard(CatalogKeys(catalog_key).by_status(Status.FAILED))
        counts = pipeline.execute()
        assert not any(counts[1::2]), "a task failed"
        return sum(counts[::2])
