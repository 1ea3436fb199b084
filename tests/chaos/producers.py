"""Producers: they send batches and files, all mixed up."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from typing import Any

from tests.chaos.files import send_file
from tests.chaos.outside.ftps_files import FtpsSender
from tests.chaos.patient import PATIENCE_S, Patient
from tests.chaos.v1 import write_groups, write_items
from tests.support.batches import Entry
from tests.support.laws import StatusWatch

#: Ids that are written again and again.
IDS = [f"i{number:03}" for number in range(150)]


class Producer:
    """Sends what customers send, all mixed up, until it is told to stop."""

    def __init__(
        self, number: int, customers: Sequence[Patient], seed: int, *, watch: StatusWatch | None,
        ftps: FtpsSender | None = None,
    ) -> None:  # fmt: skip
        """Prepare; whoever has ``ftps`` sends only files, by that."""
        self._customers = customers
        self._ftps = ftps
        self._random = random.Random(f"{seed} {number}")
        self._watch = watch
        self._stop = threading.Event()
        #: What went wrong with the producer itself, or with a law it looked at.
        self.wrong: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"producer-{number}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the request at hand has been answered."""
        self._stop.set()
        self._thread.join(PATIENCE_S + 60)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._send_something(self._random.choice(self._customers))
                self._stop.wait(self._random.expovariate(1 / 0.03))
        except BaseException as error:
            self.wrong = error

    def _send_something(self, customer: Patient) -> None:
        if self._ftps:
            kind = self._random.choice(["items", "variations"])
            self._ftps.send(customer, self._random, kind, self._entries(kind, "PUT"))
            return
        match self._random.choices(["write", "file", "v1", "cancel", "rerun", "look"], [20, 2, 2, 1, 1, 5])[0]:
            case "write":
                self._write(customer)
            case "file":
                kind = self._random.choice(["items", "variations"])
                send_file(customer, self._random, kind, self._entries(kind, "PUT"))
            case "v1":
                write = self._random.choice([write_items, write_groups])
                write(customer, self._random, self._random.sample(IDS, self._random.randrange(1, 20)))
            case _ if not customer.accepted:
                pass
            case "cancel":
                customer.cancel(customer.accepted[-1].task_id)
            case "rerun":
                customer.rerun(self._random.choice(customer.accepted).task_id)
            case "look":
                task_id = self._random.choice(customer.accepted).task_id
                answer = customer.call("GET", f"/v1/tasks/{task_id}")
                # Without a watch the task may have been lost.
                if self._watch:
                    self._watch.see((customer.catalog_key, task_id), answer.ok()["status"])

    def _write(self, customer: Patient) -> None:
        draw = self._random
        kind = draw.choices(["items", "variations", "item_groups"], [6, 2, 1])[0]
        method = draw.choices(["PUT", "PATCH", "DELETE"], [5, 3, 1])[0]
        query: dict[str, Any] = {}
        if method == "PATCH":
            query["on_missing"] = draw.choice(["FAIL", "IGNORE", "CREATE"])
        if method == "DELETE" and draw.random() < 0.5:
            query["force"] = "true"
        answer = customer.send(method, self._entries(kind, method), kind=kind, **query)
        assert answer.status == 200, (answer.status, answer.body[:500])

    def _entries(self, kind: str, method: str) -> list[Entry]:
        draw = self._random
        count = draw.choices([1, draw.randrange(2, 20), draw.randrange(20, 300), 2500], [35, 35, 20, 1])[0]
        ids = [f"b{number:05}" for number in range(count)] if count > len(IDS) else draw.sample(IDS, count)
        # Prices alone, again and again, are kept beside what is much longer.
        also = "abc" if method != "PATCH" or draw.random() < 0.5 else ""
        return [self._entry(kind, method, entry_id, also) for entry_id in ids]

    def _entry(self, kind: str, method: str, entry_id: str, also: str) -> Entry:
        draw = self._random
        if method == "DELETE":
            return {"id": entry_id}
        entry: dict[str, Any] = {"id": entry_id, "name": f"{kind} {draw.randrange(10**6)}"}
        if kind == "variations":
            entry["item_id"] = draw.choice(IDS)
        if kind == "item_groups":
            entry["parent_ids"] = draw.sample(IDS, draw.randrange(3))
        data: dict[str, Any] = {"price": draw.randrange(10**4)}
        if also:
            data[draw.choice(also)] = draw.random()
        if kind == "items" and method == "PUT":
            data["text"] = "long " * 70
        return entry | {"data": data}
