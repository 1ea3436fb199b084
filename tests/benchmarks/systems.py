"""The interface of a measured system."""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence

import redis

from shared.waiting import wait_until
from tests.benchmarks.http_client import Request, render
from tests.benchmarks.processes import cpu_seconds, signal_group
from tests.benchmarks.store import empty

#: Seconds that the slowest system may need for what it accepted.
END_TIMEOUT_S = 300.0
#: Between two looks at whether all has ended.
LOOK_EVERY_S = 0.002

#: A task: its catalog and its id.
TaskName = tuple[str, int]


class System(ABC):
    """A system that takes batches over HTTP and applies them.  As a context manager it runs."""

    #: The column of the table.
    name: str
    #: Of its API.
    address: tuple[str, int]
    #: The database with its entries.
    store: redis.Redis

    def __enter__(self) -> System:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def start(self) -> None:
        """Start all its processes and wait until they are ready."""

    @abstractmethod
    def stop(self) -> None:
        """End them; also after a start that failed."""

    @abstractmethod
    def groups(self) -> dict[str, int]:
        """Name its process groups by their part: ingress, worker, store…"""

    @abstractmethod
    def all_ended(self, accepted: int) -> bool:
        """Tell at little cost whether all batches accepted since `fresh` have been applied."""

    @abstractmethod
    def ended(self, tasks: Sequence[TaskName]) -> list[bool]:
        """Tell of each task whether it has been applied, in one round trip to the store."""

    @abstractmethod
    def count_done(self, catalog_keys: Sequence[str]) -> int:
        """Count the batches of some catalogs that were applied; raises AssertionError if one failed."""

    @abstractmethod
    def token(self, catalog_key: str) -> str:
        """Name a token that may write to a catalog."""

    # -- the same for all ------------------------------------------------------------------------------------------

    def write(self, method: str, catalog_key: str, body: bytes) -> Request:
        """Render a write."""
        # DELETE of everything is meant.
        force = "&force=true" if method == "DELETE" else ""
        return render(method, f"/v2/items?key={catalog_key}{force}", self.token(catalog_key), body)

    def read(self, catalog_key: str, item_id: str) -> Request:
        """Render the read of one item."""
        return render("GET", f"/v2/items/{item_id}?key={catalog_key}", self.token(catalog_key))

    def wait_all_ended(self, accepted: int) -> None:
        """Wait for the last batch."""
        wait_until(
            lambda: self.all_ended(accepted), f"{self.name} is through", timeout_s=END_TIMEOUT_S, every_s=LOOK_EVERY_S
        )

    def fresh(self) -> None:
        """Empty the store, so that no round pays for the one before."""
        empty(self.store)

    def halt_worker(self) -> None:
        """Freeze the workers where they are."""
        signal_group(self.groups()["worker"], signal.SIGSTOP)

    def resume_worker(self) -> None:
        """Let them go on."""
        signal_group(self.groups()["worker"], signal.SIGCONT)

    def cpu(self) -> dict[str, float]:
        """Measure the processor seconds of each of its parts, and of the load generator, so far."""
        used = {part: cpu_seconds([group]) for part, group in self.groups().items()}
        times = os.times()
        return {**used, "load": times.user + times.system}
