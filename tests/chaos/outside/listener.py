"""Who is told by a webhook of the tasks of one catalog, and checks what it was told."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from shared.clock import now_ms
from shared.keys import CatalogKeys
from shared.store.client import Store
from shared.store.scripts import run
from shared.waiting import WaitedInVain, wait_until
from tests.chaos.patient import Patient
from tests.support.laws import LawBroken, SeenTask
from tests.support.receivers import Call, Endpoint

#: Seconds that it waits for calls, and how often, until it has all that is due made at once.
HURRY_S, HURRIES = 3.0, 40


class Listener:
    """A webhook of a catalog, and what came there."""

    def __init__(self, customer: Patient, endpoint: Endpoint, url: str, statuses: Sequence[str]) -> None:
        """Make the webhook; without ``statuses`` it is told of all tasks."""
        self._endpoint = endpoint
        self._path = f"/{customer.catalog_key}"
        self._statuses = statuses
        wish = {"url": f"{url}{self._path}", "statuses": list(statuses)}
        made = customer.call("POST", "/v1/webhooks", body=wish).ok()
        self.catalog_key = customer.catalog_key
        self._id, self._secret = made["id"], made["secret"]

    def calls(self) -> list[Call]:
        """What came so far, in order."""
        return [call for call in list(self._endpoint.calls) if call.path == self._path]

    def be_told(self, client: Store, tasks: Sequence[SeenTask]) -> None:
        """Wait until it was told of each of these tasks; whether it was, the check tells."""
        for _ in range(HURRIES):
            self._hurry(client)
            with contextlib.suppress(WaitedInVain):
                wait_until(lambda: not self._silent(tasks), "all is told", timeout_s=HURRY_S, every_s=HURRY_S / 10)
                return

    def check(self, tasks: Sequence[SeenTask], *, may_have_lost: bool) -> None:
        """Raise LawBroken unless it was told of each task as it ended, under one id, and of nothing else."""
        ended, ids = {(task.id, task.status) for task in tasks}, defaultdict[int, set[str]](set)
        for call in self.calls():
            told = call.json["data"]
            if not call.is_signed_with(self._secret):
                raise LawBroken(f"told: the signature is wrong of {call}")
            if (told["key"], call.json["type"]) != (self.catalog_key, f"task.{told['status'].lower()}"):
                raise LawBroken(f"told: this makes no sense: {call}")
            if self._statuses and told["status"] not in self._statuses:
                raise LawBroken(f"told: nobody wanted to know of {call}")
            # What a store told and forgot may end otherwise the next time.
            if not may_have_lost and (told["task_id"], told["status"]) not in ended:
                raise LawBroken(f"told: this never was: {call}")
            ids[told["task_id"]].add(call.id)
        if silent := self._silent(tasks):
            raise LawBroken(f"told: {self.catalog_key} was not told of {len(silent)} tasks: {sorted(silent)[:5]}")
        if several := {task_id: names for task_id, names in ids.items() if len(names) > 1}:
            raise LawBroken(f"told: the same event has several ids: {several}")

    def _hurry(self, client: Store) -> None:
        """Have all that waits for it due now: after a rest, a killed process, a clock that was wrong."""
        of, now = CatalogKeys(self.catalog_key), now_ms()
        for queue in (of.outbox, of.target(self._id), of.targets):
            [waiting] = run(client, ("ZRANGE", queue, 0, -1))
            if waiting:
                run(client, ("ZADD", queue, "XX", *(part for member in waiting for part in (now, member))))

    def _silent(self, tasks: Iterable[SeenTask]) -> set[tuple[int, str]]:
        wanted = {(task.id, task.status) for task in tasks if not self._statuses or task.status in self._statuses}
        return wanted - {(call.json["data"]["task_id"], call.json["data"]["status"]) for call in self.calls()}
