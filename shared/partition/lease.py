"""A lease: the operations that only the owner of a partition may do."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from shared.errors import StoreFull
from shared.keys import keys_of
from shared.partition.step_calls import StepCommands, answer_of
from shared.partition.step_results import StepResult, StepsTaken, read_taken
from shared.partition.steps import Commit, Step
from shared.partition.tail import RUNG_TTL_MS
from shared.settings import Settings
from shared.store import scripts
from shared.store.client import Store
from shared.store.memory import reserved_key

#: How long nobody takes a partition over after its owner failed.
PAUSE_MS = 1_000


class Lease:
    """The right to drain one partition, until it is given back or expires.

    Every method is one round trip and raises StoreUnavailable if Redis does not answer; calling again is then safe.
    Once another worker owns the partition, none of them changes anything.
    """

    def __init__(self, client: Store, settings: Settings, catalog_key: str, token: str) -> None:
        """``token`` is the fencing counter with the claim's nonce; every step names it."""
        self.catalog_key = catalog_key
        self.token = token
        self._client = client
        self._keys = keys_of(catalog_key)
        self._steps = StepCommands(self._keys, settings, token, reserved=reserved_key(client, self._keys))
        self._lease_ttl_ms = int(settings.lease_ttl_s * 1000)

    def begin(self, task_id: int, *, now_ms: int) -> StepResult:
        """Mark the head as IN_PROGRESS; it can no longer be canceled."""
        command = scripts.BEGIN.command(
            self._keys.partition, token=self.token, task_id=task_id, now_ms=now_ms, lease_ttl_ms=self._lease_ttl_ms
        )
        return StepResult(self._call(command).decode())

    def take(self, base: str, steps: Sequence[Step], *, now_ms: int, wants_more: bool) -> StepsTaken:
        """Take steps (commits, failures, pieces) in order.

        Each step takes effect only if the one before it did; ``base`` names the last commit before them.  Sending again
        after a lost answer changes nothing.
        """
        sent_at = time.perf_counter()
        calls = partial(self._calls, base, steps, now_ms=now_ms, wants_more=wants_more)
        try:
            answers = self._answers(list(calls()))
        except StoreFull:
            # To a full store only scripts may write: room for what they write was kept.
            answers = self._answers(list(calls(in_one=True)))
        return read_taken(answers, time.perf_counter() - sent_at)

    def frame(self, task_id: int, chunk: int) -> bytes | None:
        """Read one chunk of a payload."""
        return self._call(("LINDEX", self._keys.payload(task_id), chunk))  # type: ignore[no-any-return]

    def counted(self, task_id: int, name: str) -> int:
        """Read one of the counters of a task."""
        return int(self._call(("HGET", self._keys.task(task_id), name)) or 0)

    def extend(self) -> bool:
        """Extend the lease; False if another worker owns the partition now."""
        command = scripts.EXTEND_LEASE.command(self._keys.partition, token=self.token, lease_ttl_ms=self._lease_ttl_ms)
        return bool(self._call(command) == b"OK")

    def yield_(self, *, troubled: bool = False) -> bool:
        """Give the partition back with work waiting, marked as notified; send the wake-up *after* this.

        ``troubled`` counts as a stall, and nobody takes the partition over for PAUSE_MS.
        """
        return bool(self._call(self._yield_command(troubled=troubled)) == b"OK")

    def release(self) -> bool:
        """Give the partition back if nothing waits in it; False if something does, or another worker owns it now."""
        command = scripts.RELEASE_LEASE.command(self._keys.partition, token=self.token)
        return bool(self._call(command) == b"RELEASED")

    def _answers(self, calls: Sequence[Sequence[scripts.Command]]) -> list[Any]:
        """Make the calls of some steps, and return the answer to each step."""
        replies = iter(scripts.run(self._client, *chain.from_iterable(calls)))
        return [answer_of([next(replies) for _ in each]) for each in calls]

    def _calls(
        self, base: str, steps: Sequence[Step], *, now_ms: int, wants_more: bool, in_one: bool = False
    ) -> Iterator[Sequence[scripts.Command]]:
        for number, step in enumerate(steps, 1):
            more = int(wants_more and number == len(steps))
            yield self._steps.calls(base, step, now_ms=now_ms, more=more, in_one=in_one)
            if isinstance(step, Commit):
                base = step.name

    def _yield_command(self, *, troubled: bool) -> scripts.Command:
        return scripts.YIELD_LEASE.command(
            self._keys.partition, token=self.token, rung_ttl_ms=RUNG_TTL_MS, pause_ms=PAUSE_MS if troubled else 0
        )

    def _call(self, command: scripts.Command) -> Any:
        return scripts.run(self._client, command)[0]


class Round(NamedTuple):
    """The arguments of `Lease.take` for one lease."""

    lease: Lease
    base: str
    steps: Sequence[Step]


def take_together(rounds: Sequence[Round], *, now_ms: int) -> list[StepsTaken]:
    """Take the steps of several partitions in one round trip (in a cluster: one to each server); all want more."""
    if not rounds:
        return []
    commands = [
        call
        for one in rounds
        for calls in one.lease._calls(one.base, one.steps, now_ms=now_ms, wants_more=True, in_one=True)
        for call in calls
    ]
    sent_at = time.perf_counter()
    replies = iter(scripts.run_apart(rounds[0].lease._client, *commands))
    store_s = time.perf_counter() - sent_at
    return [read_taken([next(replies) for _ in one.steps], store_s) for one in rounds]


def yield_together(leases: Sequence[Lease]) -> None:
    """Give several partitions back, as `Lease.yield_`, in one round trip (in a cluster: one to each server)."""
    if leases:
        scripts.run_apart(leases[0]._client, *(lease._yield_command(troubled=False) for lease in leases))
