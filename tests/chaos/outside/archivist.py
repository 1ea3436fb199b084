"""Who exports a catalogue again and again while everything breaks, and keeps the files."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from shared.model import Kind
from tests.chaos.patient import Patient
from tests.chaos.sinks.states import SECTION, Name, States, canonical
from tests.support.laws import Accepted, LawBroken

#: Seconds between two exports, on the average, and within which one ends, whatever is broken.
EVERY_S, ENDS_S = 1.0, 180.0
#: Parts of a catalogue, and their kinds.
PARTS = {
    "items": [Kind.ITEMS], "variations": [Kind.VARIATIONS], "items_with_variations": [Kind.ITEMS, Kind.VARIATIONS],
}  # fmt: skip


@dataclass(frozen=True)
class KeptExport:
    """The file of an export that was DONE."""

    task_id: int
    part: str
    format: str
    result: dict[str, Any]
    file: bytes


class Archivist:
    """Exports one catalog until it is told to stop."""

    def __init__(self, customer: Patient, seed: int, *, may_have_lost: bool) -> None:
        self.customer = customer
        self._may_have_lost = may_have_lost
        self._random = random.Random(f"{seed} archivist {customer.catalog_key}")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"archivist-{customer.catalog_key}", daemon=True)
        self.kept: list[KeptExport] = []
        #: How its wishes ended.
        self.seen: Counter[str] = Counter()
        #: What went wrong with the archivist itself.
        self.wrong: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the export at hand."""
        self._stop.set()
        self._thread.join(ENDS_S + 60)

    def check(self) -> None:
        """Raise LawBroken unless each file is what its catalogue was at its turn, by the sequential model."""
        states = States(self.customer.accepted, self.customer.tasks())
        for kept in self.kept:
            data = gzip.decompress(kept.file)
            found = _csv_ids(data) if kept.format == "csv" else _bodies(data)
            if kept.result["count"] != len(found) or kept.result["sha256"] != hashlib.sha256(kept.file).hexdigest():
                raise LawBroken(f"export: the file of task {kept.task_id} is not what {kept.result} says")
            # What was lost with the store's last second was a state, too.
            if self._may_have_lost:
                continue
            there = states.after(kept.task_id, PARTS[kept.part])
            if kept.format == "csv":
                there = dict.fromkeys(there, "")
            if wrong := [one for one in {*found, *there} if found.get(one) != there.get(one)]:
                raise LawBroken(
                    f"export: task {kept.task_id}, {kept.part} as {kept.format}, differs in {len(wrong)} entries;"
                    f" {wrong[0]!r}: {found.get(wrong[0])}, not {there.get(wrong[0])}"
                )

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._random.expovariate(1 / EVERY_S)):
                self._export()
        except BaseException as error:
            self.wrong = error

    def _export(self) -> None:
        part = self._random.choice(list(PARTS))
        form = "jsonl" if len(PARTS[part]) > 1 or self._random.random() < 0.7 else "csv"
        wish = {"type": "catalog_export", "catalog_part": part, "format": form, "section": SECTION}
        sent, answer = time.monotonic(), self.customer.call("POST", "/v1/tasks", body=wish)
        if answer.status == 303:
            self.seen["told of another"] += 1
            return
        task_id = answer.ok()["task_id"]
        batch = Accepted(task_id, PARTS[part][0], "export", [], sent=sent, answered=time.monotonic())
        self.customer.accepted.append(batch)
        task = self._ended(task_id)
        self.seen[task["status"]] += 1
        if task["status"] == "DONE":
            link = urlsplit(task["result"]["url"])
            file = self.customer.call("GET", link.path)
            if file.status == 200:
                self.kept.append(KeptExport(task_id, part, form, task["result"], file.body))
            elif not self._may_have_lost:
                raise LawBroken(f"export: the file of task {task_id}: {file.status} {file.body[:200]!r}")

    def _ended(self, task_id: int) -> dict[str, Any]:
        """Wait until a task has ended; one that the store has lost is told so."""
        end = time.monotonic() + ENDS_S
        while time.monotonic() < end:
            answer = self.customer.call("GET", f"/v1/tasks/{task_id}", wait=1)
            if answer.status == 404 and self._may_have_lost:
                return {"status": "lost"}
            task: dict[str, Any] = answer.ok()
            if task["status"] in ("DONE", "FAILED", "CANCELED"):
                return task
        raise LawBroken(f"end: the export {task_id} does not end")


def _bodies(data: bytes) -> dict[Name, str]:
    entries = ((json.loads(line), canonical(line.decode())) for line in data.splitlines())
    return {(Kind.VARIATIONS if "item_id" in entry else Kind.ITEMS, entry["id"]): text for entry, text in entries}


def _csv_ids(data: bytes) -> dict[Name, str]:
    """Read the ids of a CSV file; what its cells hold, the tests of exports compare."""
    rows = csv.DictReader(io.StringIO(data.decode()))
    return {
        (Kind.VARIATIONS, row["variation_id"]) if "variation_id" in row else (Kind.ITEMS, row["id"]): "" for row in rows
    }
