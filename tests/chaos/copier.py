"""A reader who copies a catalogue as the docs say, in both ways, and exports it, while everything breaks."""

from __future__ import annotations

import gzip
import json
import random
import threading
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from tests.acceptance.customer import send_request
from tests.chaos.patient import Patient
from tests.support.follower import Answered, Follower
from tests.support.laws import LawBroken

#: Seconds between two looks at the feed, on the average.
EVERY_S = 0.3
#: Share of the looks after which everything is read anew.
ANEW = 0.05

_CURSOR = "/v1/changes/cursors/copier"


class Copier:
    """Walks through a catalog, follows its changes, walks again now and then, until it is told to stop."""

    def __init__(self, customer: Patient, seed: int, *, may_have_lost: bool) -> None:
        self._customer = customer
        self._random = random.Random(f"{seed} copier {customer.catalog_key}")
        self._by_ids = Follower(self._get, may_have_lost=may_have_lost)
        self._with_bodies = Follower(self._get, may_have_lost=may_have_lost, with_bodies=True, keep=self._keep)
        self._copies = (self._by_ids, self._with_bodies)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"copier-{customer.catalog_key}", daemon=True)
        #: What went wrong with the copier itself.
        self.wrong: BaseException | None = None

    @property
    def walks(self) -> int:
        """How often it read everything."""
        return sum(copy.walks for copy in self._copies)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the look at hand."""
        self._stop.set()
        self._thread.join(300)

    def check(self) -> None:
        """Raise LawBroken unless, when nothing is written any more, copies and export are the catalogue."""
        for copy in self._copies:
            copy.follow()
        self._check_cursor()
        there = Follower(self._get)
        there.read_all()
        for kind, entries in there.entries.items():
            _compare(f"the {kind} of the copy by ids", self._by_ids.entries[kind], entries)
            _compare(f"the {kind} of the copy with bodies", self._with_bodies.entries[kind], entries)
            _compare(f"the export's {kind}", self._export(kind), entries)

    def _run(self) -> None:
        try:
            for copy in self._copies:
                copy.read_all()
            while not self._stop.wait(self._random.expovariate(1 / EVERY_S)):
                copy = self._random.choice(self._copies)
                if self._random.random() < ANEW:
                    copy.read_all()
                copy.follow()
        except BaseException as error:
            self.wrong = error

    def _get(self, path: str, **query: Any) -> tuple[Answered, Any]:
        answer = self._customer.call("GET", path, **query)
        return SimpleNamespace(status_code=answer.status, headers=answer.headers), answer.json()

    def _keep(self, position: str) -> None:
        answer = self._customer.call("PUT", _CURSOR, body={"after": position})
        # The store may have lost what it told just before, if it may lose anything.
        if answer.status != 200 and not (self._with_bodies.may_have_lost and answer.status == 400):
            raise LawBroken(f"the cursor was refused at {position}: {answer.status} {answer.json()}")

    def _check_cursor(self) -> None:
        """Raise LawBroken unless the cursor is where the copy is, with nothing to read."""
        cursor = self._customer.call("GET", _CURSOR).ok()
        if (cursor["after"], cursor["lag"] and cursor["lag"]["tasks"]) != (self._with_bodies.position, 0):
            raise LawBroken(f"the cursor of a copy at {self._with_bodies.position}: {cursor}")

    def _export(self, kind: str) -> dict[str, Any]:
        wish = {"type": "catalog_export", "catalog_part": kind}
        task = self._customer.done(int(self._customer.call("POST", "/v1/tasks", body=wish).ok()["id"]), timeout_s=60)
        link = urlsplit(task["result"]["url"])
        file = send_request(f"http://{link.netloc}", "GET", f"{link.path}?{link.query}", headers={})
        if file.status != 200:
            raise LawBroken(f"the export's {kind} are not there: {file.status} {file.body[:500]!r}")
        return {entry["id"]: entry for entry in map(json.loads, gzip.decompress(file.body).splitlines())}


def _compare(what: str, copied: Mapping[str, Any], there: Mapping[str, Any]) -> None:
    if wrong := [entry_id for entry_id in {*copied, *there} if _body(copied, entry_id) != _body(there, entry_id)]:
        one = wrong[0]
        raise LawBroken(
            f"{what}: {len(wrong)} of {len(there)} differ; {one!r}: {copied.get(one)}, not {there.get(one)}"
        )


def _body(entries: Mapping[str, Any], entry_id: str) -> Any:
    entry = entries.get(entry_id)
    return entry and {name: value for name, value in entry.items() if name != "updated_at"}
