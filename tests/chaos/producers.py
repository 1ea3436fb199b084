"""Producers: customers that send again, under the same Idempotency-Key, until they are answered."""

from __future__ import annotations

import dataclasses
import http.client
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.acceptance.customer import Answer, Customer
from tests.support.batches import Entry
from tests.support.laws import StatusWatch

#: Seconds between two attempts.
AGAIN_S = 0.1
#: Seconds without any answer after which a producer gives up, and the run has failed.
PATIENCE_S = 120.0
#: Ids that are written again and again.
IDS = [f"i{number:03}" for number in range(150)]

_never = threading.Event()


@dataclasses.dataclass
class Patient(Customer):
    """A customer who knows several ingresses and never gives up."""

    urls: Sequence[str] = ()
    #: Why something was sent again: the status, or the name of the error.
    retries: Counter[str] = dataclasses.field(default_factory=Counter)
    #: Re-runs that may have been made more than once: (task, when first sent, when answered).
    unsure: list[tuple[int, float, float]] = dataclasses.field(default_factory=list)

    def call(
        self, method: str, path: str, *, body: Any = None, headers: Mapping[str, str] | None = None, **query: Any
    ) -> Answer:
        """Send a request until it is answered with something that another attempt would not change."""
        return self._call(method, path, body=body, headers=headers, **query)[0]

    def _call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **how: Any
    ) -> tuple[Answer, int]:
        """As `call`, and say how many attempts it took."""
        if path.startswith("/v2/") and method != "GET":
            headers = {"Idempotency-Key": f"{random.SystemRandom().getrandbits(128):032x}", **(headers or {})}
        end = time.monotonic() + PATIENCE_S
        for attempt in itertools.count(1):
            self.url = self.urls[(hash(threading.current_thread()) + attempt) % len(self.urls)]
            try:
                answer = super().call(method, path, headers=headers, **how)
            except (OSError, http.client.HTTPException) as error:
                wrong = type(error).__name__
            else:
                if answer.status < 500 and answer.status != 429:
                    return answer, attempt
                wrong = str(answer.status)
            self.retries[wrong] += 1
            assert time.monotonic() < end, f"{method} {path}: no answer, last {wrong}"
            _never.wait(AGAIN_S)
        raise AssertionError

    def cancel(self, task_id: int) -> Answer:
        """Cancel a task; where an answer was lost, it is not known whether the first attempt did it."""
        answer, attempts = self._call("PATCH", f"/v1/tasks/{task_id}", body={"status": "CANCELED"})
        if answer.status == 200:
            self._journal(task_id).canceled = True
        elif attempts > 1:
            self._journal(task_id).canceled = None
        return answer

    def rerun(self, task_id: int) -> Answer:
        """Run an ended task again; where an answer was lost, there may be more than one new task."""
        sent = time.monotonic()
        answer, attempts = self._call("PATCH", f"/v1/tasks/{task_id}", body={"status": "QUEUED"})
        answered = time.monotonic()
        if attempts > 1:
            self.unsure.append((task_id, sent, answered))
        elif answer.status == 200:
            self._note_rerun(task_id, answer.json()["id"], sent, answered)
        return answer

    def settle_unsure(self) -> None:
        """Find out, when all is over, which re-runs there were."""
        known = {batch.task_id for batch in self.accepted}
        seen = [(task.id, task.retry_of) for task in self.tasks() if task.retry_of and task.id not in known]
        for task_id, sent, answered in self.unsure:
            for new_id, retry_of in seen:
                if retry_of == task_id and new_id not in known:
                    known.add(new_id)
                    self._note_rerun(task_id, new_id, sent, answered)

    def _note_rerun(self, task_id: int, new_id: int, sent: float, answered: float) -> None:
        old = self._journal(task_id)
        again = dataclasses.replace(old, task_id=new_id, sent=sent, answered=answered, canceled=False, retry_of=task_id)
        self.accepted.append(again)


class Producer:
    """Sends what customers send, all mixed up, until it is told to stop."""

    def __init__(self, number: int, customers: Sequence[Patient], seed: int, *, watch: StatusWatch | None) -> None:
        self._customers = customers
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
        match self._random.choices(["write", "cancel", "rerun", "look"], [20, 1, 1, 5])[0]:
            case "write":
                self._write(customer)
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
