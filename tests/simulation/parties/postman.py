"""Deliveries to a webhook and to a mail server that fail now and then: each is told of what ended at least once."""

from __future__ import annotations

import contextlib
import json
import smtplib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from email.message import EmailMessage
from functools import partial
from typing import cast
from unittest import mock

import redis

from shared.errors import StoreUnavailable
from shared.keys import CatalogKeys
from shared.model import Status
from shared.outbox.mail_server import MailServer
from shared.outbox.outbox import Lane, Outbox, Outboxes
from shared.outbox.webhook_messages import message_id
from shared.outbox.webhooks import Webhooks
from shared.store.scripts import run
from shared.tasks.records import Task
from shared.tasks.reports import Reports
from tests.simulation.world import World
from tests.support.laws import LawBroken
from tests.support.rig import Rig
from workers.deliver import deliverer
from workers.deliver.http_post import NotDelivered, PostAnswer
from workers.deliver.mailing import Mailing

URL = "http://127.0.0.1:9/hook"
SENDER = "sluice@shop.example"
#: How long a process that delivers waits, and how long a call takes.
REST_MS, CALL_MS = (100, 1_500), (1, 30, 5_000)
#: How many calls do not arrive, and how many that arrived are answered as if they had not.
LOST, REFUSED = 0.2, 0.2
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
        #: Who was mailed, by the id of the message.
        self._mailed: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        #: How many tasks somebody had to be mailed of.
        self.mails = 0
        self._deliverer = self._for(rig.client, rig)

    def _for(self, client: redis.Redis, rig: Rig) -> deliverer.Deliverer:
        mailing = Mailing(cast(MailServer, self), SENDER, None, partial(Reports, client))
        return deliverer.Deliverer(
            partial(Outbox, client), partial(Webhooks, client), mailing, private=True, clock=rig.clock, draw=lambda: 0.5
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

    def finish(self, rig: Rig, tasks: Sequence[Task]) -> None:
        """Deliver the rest, to receivers that are well again; then each task has been told, as it ended."""
        last = self._for(rig.client, rig)
        of = CatalogKeys(self._catalog_key)
        for _ in range(ROUNDS):
            if not run(rig.client, ("EXISTS", of.outbox, of.targets))[0]:
                break
            rig.clock.advance(ROUND_MS)
            while any(last.deliver_next(*lane) for lane in self._due(rig)):
                pass
        for task in tasks if self._world.plan.delivers else ():
            # What a store told and forgot may end otherwise the next time.
            told = self._told[task.id]
            if task.status not in told or (len(told) > 1 and not self._world.restarts):
                raise LawBroken(f"told: of task {task.id}, which is {task.status}: {sorted(told)}")
        self._check_mail(tasks)

    def _check_mail(self, tasks: Sequence[Task]) -> None:
        """Who asked for it was mailed of each task that failed, and nobody of anything else."""
        failed = {message_id(self._catalog_key, task): task for task in tasks if task.status is Status.FAILED}
        for name, task in failed.items():
            addresses = task.batch.notification_emails
            self.mails += bool(addresses)
            if self._mailed[name] != ({addresses} if addresses else set()):
                raise LawBroken(f"mail: of task {task.id} to {addresses}: {self._mailed[name]}")
        # What a store mailed and forgot may end otherwise the next time.
        if not self._world.restarts and (strange := {name for name, to in self._mailed.items() if to} - failed.keys()):
            raise LawBroken(f"mail: about tasks that did not fail: {[self._mailed[name] for name in strange]}")

    def _due(self, rig: Rig) -> list[Lane]:
        return Outboxes(rig.client).due_of(self._catalog_key, rig.clock())

    @contextlib.contextmanager
    def receiving(self) -> Iterator[None]:
        """Receive here what is posted meanwhile."""
        with mock.patch.object(deliverer, "post", self._receive):
            yield

    def _receive(self, url: str, headers: Mapping[str, str], body: bytes, *, private: bool) -> PostAnswer:
        data = json.loads(body)["data"]
        if self._is_lost():
            raise NotDelivered("simulated: no connection")
        self._told[data["task_id"]].add(data["status"])
        return PostAnswer(500 if self._is_refused() else 200)

    def send(self, mail: EmailMessage) -> list[str]:
        """Take a mail, as the mail server does."""
        if self._is_lost():
            raise ConnectionRefusedError("simulated: no connection")
        name = mail["Message-ID"].removeprefix("<").partition("@")[0]
        self._mailed[name].add(tuple(address.addr_spec for address in mail["To"].addresses))
        if self._is_refused():
            raise smtplib.SMTPServerDisconnected("simulated: no answer")
        return []

    def _is_lost(self) -> bool:
        scheduler = self._world.scheduler
        if scheduler.current is None:
            return False
        scheduler.rest(CALL_MS[scheduler.pick(len(CALL_MS))])
        return scheduler.chance(LOST)

    def _is_refused(self) -> bool:
        return self._world.scheduler.current is not None and self._world.scheduler.chance(REFUSED)
