"""Deliveries to a webhook whose receiver fails now and then: it is told of each ended task at least once."""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from unittest import mock

import redis

from shared.errors import StoreUnavailable
from shared.outbox.outbox import Lane, Outbox, Outboxes
from shared.outbox.webhooks import Webhooks
from shared.tasks.records import Task
from tests.simulation.world import World
from tests.support.laws import LawBroken
from tests.support.rig import Rig
from workers.deliver import deliverer
from workers.deliver.http_post import NotDelivered, PostAnswer

URL = "http://127.0.0.1:9/hook"
#: How long a process that delivers waits, and how long a call takes.
REST_MS, CALL_MS = (100, 1_500), (1, 30, 5_000)
#: At the end the clock is moved so often, each time past a pause after a failure.
ROUNDS, ROUND_MS = 60, 600_000


class Postman:
    """A process that delivers for one catalog; what arrives is noted, whether it is answered or not."""

    def __init__(self, world: World, rig: Rig, catalog_key: str) -> None:
        self._world = world
        self._rig = rig
        self._catalog_key = catalog_key
        #: By task id.
        self._told: dict[int, set[str]] = defaultdict(set)
        self._deliverer = self._for(rig.client, rig)

    def _for(self, client: redis.Redis, rig: Rig) -> deliverer.Deliverer:
        return deliverer.Deliverer(
            partial(Outbox, client), partial(Webhooks, client), None, private=True, clock=rig.clock, draw=lambda: 0.5
        )

    def prepare(self, rig: Rig) -> None:
        """Make the webhook, before anything is sent."""
        Webhooks(rig.client, self._catalog_key).add(URL, private=True, now_ms=rig.clock())

    def run(self) -> None:
        """Deliver what is due, for ever."""
        scheduler = self._world.scheduler
        in_vain = 0
        while True:
            # Ever longer: others may sleep for minutes.
            scheduler.rest(REST_MS[scheduler.pick(len(REST_MS))] << min(in_vain, 8))
            in_vain += 1
            with contextlib.suppress(StoreUnavailable):
                for lane in self._due(self._rig):
                    in_vain = 0
                    self._deliverer.deliver_next(*lane)

    def finish(self, rig: Rig, tasks: list[Task]) -> None:
        """Deliver the rest, to a receiver that is well again; then each task has been told, as it ended."""
        last = self._for(rig.client, rig)
        for _ in range(ROUNDS):
            rig.clock.advance(ROUND_MS)
            while any(last.deliver_next(*lane) for lane in self._due(rig)):
                pass
        for task in tasks:
            # What a store told and forgot may end otherwise the next time.
            told = self._told[task.id]
            if task.status not in told or (len(told) > 1 and not self._world.restarts):
                raise LawBroken(f"told: of task {task.id}, which is {task.status}: {sorted(told)}")

    def _due(self, rig: Rig) -> list[Lane]:
        return Outboxes(rig.client).due_of(self._catalog_key, rig.clock())

    @contextlib.contextmanager
    def receiving(self) -> Iterator[None]:
        """Receive here what is posted meanwhile."""
        with mock.patch.object(deliverer, "post", self._receive):
            yield

    def _receive(self, url: str, headers: Mapping[str, str], body: bytes, *, private: bool) -> PostAnswer:
        scheduler = self._world.scheduler
        data = json.loads(body)["data"]
        if scheduler.current is not None:
            scheduler.rest(CALL_MS[scheduler.pick(len(CALL_MS))])
            if scheduler.chance(0.2):
                raise NotDelivered("simulated: no connection")
        self._told[data["task_id"]].add(data["status"])
        refuses = scheduler.current is not None and scheduler.chance(0.2)
        return PostAnswer(500 if refuses else 200)
