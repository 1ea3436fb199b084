"""A shop: all that its feeds and its readers do with one catalogue, each at its own pace."""

from __future__ import annotations

import itertools
import random
import time
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from tests.acceptance.customer import send_request
from tests.acceptance.site import TOKEN
from tests.soak.part import Part
from tests.soak.stage import Stage
from tests.support.batches import Entry, entry_bytes
from tests.support.files import MULTIPART, archive, multipart
from tests.support.follower import Answered, Follower
from tests.support.ftps_client import FtpsClient

#: Ids that all feeds of one shop share, and how many a batch has.
IDS, BATCH = 2_000, 80
#: Seconds in which a task ends.
END_S = 60

_CURSOR = "/v1/changes/cursors/copier"


class Shop:
    """Sends, follows and reads one catalogue."""

    def __init__(self, stage: Stage, catalog_key: str, seed: int) -> None:
        self._stage = stage
        self._customer = stage.customer(catalog_key)
        self._random = random.Random(f"{seed} {catalog_key}")
        self._copy = Follower(self._get, with_bodies=True, keep=self._keep)
        self._numbers = itertools.count()

    def parts(self) -> list[Part]:
        """List what goes on, from the most frequent."""
        acts = [
            (self._write, 0.25), (self._write_v1, 2.0), (self._follow, 1.0), (self._read, 1.0), (self._copy_anew, 60.0),
            (self._send_file, 15.0), (self._send_by_ftps, 30.0), (self._export, 30.0),
        ]  # fmt: skip
        key = self._customer.catalog_key
        return [Part(f"{key} {act.__name__.strip('_').replace('_', ' ')}", act, every_s) for act, every_s in acts]

    def compare(self) -> dict[str, dict[str, Any]]:
        """Compare the copy with the catalogue, when nothing is written any more; returns the catalogue.

        Raises AssertionError if they differ.
        """
        self._customer.wait_all_ended(timeout_s=END_S)
        self._copy.follow()
        there = Follower(self._get)
        there.read_all()
        for kind, entries in there.entries.items():
            copied = self._copy.entries[kind]
            other = [
                id_ for id_ in entries.keys() | copied.keys()
                if _followed(kind, entries.get(id_)) != _followed(kind, copied.get(id_))
            ]  # fmt: skip
            assert not other, (
                f"{len(other)} {kind} differ in the copy of {self._customer.catalog_key}, as {other[0]}: "
                f"{copied.get(other[0])} in the copy, {entries.get(other[0])} in the catalogue"
            )
        return there.entries

    # -- feeds --------------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        draw = self._random
        ids = draw.sample(range(IDS), BATCH)
        match draw.choices(["put", "patch", "delete", "variations", "item_groups"], [4, 4, 1, 2, 1])[0]:
            case "put":
                answer = self._customer.send("PUT", [self._item(i) for i in ids])
            case "patch":
                edits: list[Entry] = [
                    {"id": f"item {i}", "data": {"price": draw.random(), "tags:add": [i]}} for i in ids
                ]
                answer = self._customer.send("PATCH", edits, on_missing="IGNORE")
            case "delete":
                answer = self._customer.send("DELETE", [{"id": f"item {i}"} for i in ids[:20]], force=True)
            case "variations":
                answer = self._customer.send("PUT", [self._variation(i) for i in ids], kind="variations")
            case _:
                groups: list[Entry] = [{"id": f"group {i % 50}", "name": str(draw.random())} for i in ids[:20]]
                answer = self._customer.send("PUT", groups, kind="item_groups")
        answer.ok()
        # No journal: it would be what grows.
        self._customer.accepted.clear()

    def _write_v1(self) -> None:
        ids = self._random.sample(range(IDS), 10)
        items = [{"id": f"item {i}", "item_name": f"Item {i}", "metadata": {"price": i, "url": "/"}} for i in ids]
        answer = self._customer.call("PUT", "/v1/batch_items", body={"items": items}, force="true")
        # Where the machine is too busy, it is told that the task still waits.
        assert answer.status in (204, 504), (answer.status, answer.body[:500])

    def _send_file(self) -> None:
        """All items there are: most of them unchanged, some new, some gone."""
        kept = self._random.sample(range(IDS), IDS * 9 // 10)
        lines = b"\n".join(entry_bytes(self._item(i)) for i in kept)
        body = multipart([("all.tar.gz", "all.tar.gz", archive({"items.jsonl": lines}))])
        self._customer.call("PUT", "/v1/catalog", body=body, headers=MULTIPART, force="true").ok()

    def _send_by_ftps(self) -> None:
        lines = b"\n".join(entry_bytes(self._item(i)) for i in self._random.sample(range(IDS), 200))
        number = next(self._numbers)
        at = time.strftime("%Y-%m-%d-%H-%M-%S", time.gmtime(1_700_000_000 + number))
        certificate = self._stage.stack.folder.path / "ftps.pem"
        with FtpsClient(certificate, self._stage.ftps_port).enter(self._customer.catalog_key, TOKEN) as client:
            reply = client.put(f"{self._customer.catalog_key}_Products_delta_{at}.jsonl", lines)
        assert reply.startswith("226 Accepted as task "), reply

    def _item(self, number: int) -> Entry:
        price = self._random.randrange(10**4)
        data = {"price": price, "tags": [price % 7], "text": "some text of some length " * 8}
        return {"id": f"item {number}", "name": f"Item {number}", "data": data}

    def _variation(self, number: int) -> Entry:
        data = {"price": self._random.randrange(10**4)}
        return {"id": f"variation {number}", "item_id": f"item {number // 3}", "data": data}

    # -- readers ------------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        if not self._copy.position:
            self._copy.read_all()
        self._copy.follow()

    def _copy_anew(self) -> None:
        Follower(self._get).read_all()

    def _read(self) -> None:
        self._customer.task_list(num_results_per_page=20)
        answer = self._customer.entry(f"item {self._random.randrange(IDS)}")
        assert answer.status in (200, 404), answer.body
        assert send_request(self._stage.stack.api_url, "GET", "/metrics", headers={}).status == 200

    def _export(self) -> None:
        wish = {"type": "catalog_export", "catalog_part": "items_with_variations"}
        task = self._customer.done(int(self._customer.call("POST", "/v1/tasks", body=wish).ok()["id"]), timeout_s=END_S)
        link = urlsplit(task["result"]["url"])
        file = send_request(f"http://{link.netloc}", "GET", f"{link.path}?{link.query}", headers={})
        assert file.status == 200, file.body[:500]

    def _get(self, path: str, **query: Any) -> tuple[Answered, Any]:
        answer = self._customer.call("GET", path, **query)
        return SimpleNamespace(status_code=answer.status, headers=answer.headers), answer.json()

    def _keep(self, position: str) -> None:
        self._customer.call("PUT", _CURSOR, body={"after": position}).ok()


def _followed(kind: str, entry: dict[str, Any] | None) -> dict[str, Any] | None:
    """Leave out when an item last changed: a variation moves that too, and the feed tells only of the variation."""
    return entry and {name: value for name, value in entry.items() if (kind, name) != ("items", "updated_at")}
