"""Deliver to Typesense: in order and at least once.

It keeps no versions and compares nothing.  So each owner writes with an API key of its own, restricted to its sink, and
whoever takes over removes the keys of all others: what they still send is refused.
"""

from __future__ import annotations

import contextlib
import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from shared.catalog.pages import StoredEntry
from shared.codec import encode_json
from shared.model import Kind
from shared.sinks.destination import DeadLetter, DestinationAway, Superseded
from shared.sinks.mapping import ColumnType, Document
from shared.sinks.mapping import Mapping as SinkMapping
from shared.sinks.search.http_calls import BUSY, HttpCalls, Said, read_engine_url, reason
from shared.sinks.search.ledger_destination import LedgerDestination, comparable
from shared.sinks.search.typesense_documents import entry_of, read_lines, row_of, schema
from shared.sinks.search.typesense_queries import filters, others, path
from shared.sinks.sinks import BadSink, Sink
from shared.waiting import WaitedInVain, wait_until

#: The collection with the ledgers of all sinks.
LEDGERS = "sluice_sinks"
#: Seconds between two attempts at what a busy server did not take.
AGAIN_S = 0.25


def check_sink(url: str, mapping: SinkMapping) -> None:
    """Raise BadSink unless this is a URL of a server with a key, and it can have such documents."""
    if not read_engine_url(url, ()).password:
        raise BadSink("the API key is the password of the URL: typesense+https://:key@host:port")


def connect(sink: Sink, catalog_key: str, *, timeout_s: float) -> LedgerDestination:
    """Open a sink's destination."""
    check_sink(sink.url, sink.mapping)
    return LedgerDestination(Typesense(sink, timeout_s=timeout_s), sink, catalog_key, timeout_s=timeout_s)


class Typesense:
    """A server; a `shared.sinks.search.engine.Engine`."""

    compares = False

    def __init__(self, sink: Sink, *, timeout_s: float) -> None:
        at = read_engine_url(sink.url, ())
        self._calls = HttpCalls(at.base, {"X-TYPESENSE-API-KEY": at.password}, timeout_s=timeout_s)
        self._name = sink.name
        self._mapping = sink.mapping
        #: Of this owner; '' before it has taken over.
        self._key = ""
        #: Ids of a place, in order, as they were when the first page was read.
        self._ids: tuple[str, list[bytes]] = ("", [])

    def limit(self, seconds: float) -> contextlib.AbstractContextManager[None]:
        return self._calls.limit(seconds)

    def load(self) -> tuple[bytes, Any] | None:
        said = self._calls.ask("GET", f"/collections/{LEDGERS}/documents/{self._name}", allowed=(404,))
        return None if said.status == 404 else (said.json()["ledger"].encode(), None)

    def save(self, ledger: bytes, tag: Any) -> Any:
        document = encode_json({"id": self._name, "ledger": ledger.decode()})
        self._write("POST", f"/collections/{LEDGERS}/documents?action=upsert", document)

    def fence(self, gate: str, number: int, places: Sequence[str], confirm: Callable[[], None]) -> str:
        fields = [{"name": "ledger", "type": "string", "index": False, "optional": True}]
        # 409: it is there.
        self._calls.ask("POST", "/collections", encode_json({"name": LEDGERS, "fields": fields}), allowed=(409,))
        wanted = {
            "description": self._description,
            "actions": ["documents:*", "aliases:*"],
            "collections": [f"{self._name}(_variations)?-.*", LEDGERS],
        }
        own = self._calls.ask("POST", "/keys", encode_json(wanted)).json()
        for key in self._calls.ask("GET", "/keys").json()["keys"]:
            # Later ones are of those who took over meanwhile.
            if key["description"] == self._description and key["id"] < own["id"]:
                self._calls.ask("DELETE", f"/keys/{key['id']}", allowed=(404,))
        self._key = own["value"]
        return str(number)

    @property
    def _description(self) -> str:
        return f"sluice sink {self._name}: its worker's, made anew by each"

    def create(self, place: str, kind: Kind, gate: str) -> None:
        self._calls.ask("POST", "/collections", encode_json({"name": place, **schema(self._mapping, kind)}))

    def has(self, place: str) -> bool:
        return self._calls.ask("GET", f"/collections/{place}", allowed=(404,)).status != 404

    def drop(self, place: str) -> None:
        self._calls.ask("DELETE", f"/collections/{place}", allowed=(404,))

    def led_to(self, name: str) -> list[str]:
        # A collection of that name hides an alias.
        if self.has(name):
            found: str = self._calls.ask("GET", f"/collections/{name}").json()["name"]
            return [found]
        return []

    def point(self, names: Mapping[str, str | None], led: Mapping[str, Sequence[str]], gate: str, number: int) -> str:
        for name, place in names.items():
            if place is None:
                self._write("DELETE", f"/aliases/{name}")
                continue
            # A collection that this sink may replace; one that came meanwhile makes the server refuse the alias.
            if led[name] == [name]:
                self.drop(name)
            self._write("PUT", f"/aliases/{name}", encode_json({"collection_name": place}))
        return gate

    def write(
        self, place: str, gate: str, number: int, kind: Kind, documents: Sequence[Document], gone: Sequence[str]
    ) -> list[DeadLetter]:
        self._delete(place, gone)
        dead, lines = list[DeadLetter](), list[tuple[str, bytes]]()
        for one in documents:
            try:
                lines.append((one.id, encode_json(row_of(one, self._mapping, kind))))
            except (ValueError, OverflowError) as problem:
                dead.append(DeadLetter(kind, one.id, str(problem)))
        dead += [DeadLetter(kind, entry_id, said) for entry_id, said in self._import(place, lines)]
        # What is refused now has no place there, nor has its earlier version.
        self._delete(place, [letter.id for letter in dead])
        return dead

    def _import(self, place: str, lines: Sequence[tuple[str, bytes]]) -> list[tuple[str, str]]:
        """Write documents until all are taken or refused; an id is there once, so their order does not matter."""
        left, refused, said = list(lines), list[tuple[str, str]](), ""

        def taken() -> bool:
            nonlocal left, said
            busy = list[tuple[str, bytes]]()
            path = f"/collections/{place}/documents/import?action=upsert&batch_size=500"
            answer = self._write("POST", path, b"\n".join(line for _, line in left), lines=True) if left else None
            results = answer.body.splitlines() if answer else []
            for line, result in zip(left, map(json.loads, results), strict=True):
                code = 200 if result["success"] else int(result.get("code", 400))
                if code in BUSY or code >= 500:
                    busy.append(line)
                    said = str(result.get("error"))
                elif code >= 400:
                    refused.append((line[0], str(result.get("error"))))
            left = busy
            return not left

        try:
            wait_until(taken, "the server takes all", timeout_s=max(0.0, self._calls.left_s), every_s=AGAIN_S)
        except WaitedInVain:
            raise DestinationAway(said) from None
        return refused

    def _delete(self, place: str, ids: Sequence[str]) -> None:
        for part in filters(ids):
            self._write("DELETE", f"/collections/{place}/documents?filter_by={part}")
        for entry_id in others(ids):
            self._write("DELETE", path(place, entry_id), allowed=(404,))

    def wanted(self, kind: Kind, document: Document) -> Any:
        return self._comparable(json.loads(encode_json(row_of(document, self._mapping, kind))))

    def read(self, place: str, ids: Sequence[str], after: str, until: str) -> dict[str, Any]:
        if not after or self._ids[0] != place:
            said = self._export(place, "?include_fields=id")
            self._ids = place, sorted(one["id"].encode() for one in said)
        there = self._ids[1]
        begin = bisect_right(there, after.encode()) if after else 0
        end = bisect_right(there, until.encode()) if until else len(there)
        asked = list(dict.fromkeys([*ids, *(one.decode() for one in there[begin:end])]))
        return {one["id"]: self._comparable(one) for one in self._get(place, asked)}

    def _get(self, place: str, ids: Sequence[str]) -> Iterator[Any]:
        for part in filters(ids):
            yield from self._export(place, f"?filter_by={part}")
        for entry_id in others(ids):
            said = self._calls.ask("GET", path(place, entry_id), allowed=(404,))
            if said.status != 404:
                yield said.json()

    def _export(self, place: str, query: str = "") -> list[Any]:
        return read_lines(self._calls.ask("GET", f"/collections/{place}/documents/export{query}").body)

    def find(self, place: str, ids: Sequence[str]) -> Iterator[StoredEntry]:
        return map(entry_of, self._get(place, ids))

    def find_of(self, place: str, items: Sequence[str]) -> Iterator[StoredEntry]:
        for part in filters(items, "item_id:="):
            yield from map(entry_of, self._export(place, f"?filter_by={part}"))
        # Rare, so it may take long.
        if left := set(others(items)):
            yield from (entry_of(one) for one in self._export(place) if one["item_id"] in left)

    def _comparable(self, found: dict[str, Any]) -> dict[str, Any]:
        """Leave out what is null, as the server does, and take numbers as it keeps them.

        It also tells, with a dot in their names, what it indexes of others inside.
        """
        numbers = {
            column.name
            for kind in self._mapping.kinds
            for column in self._mapping.columns(kind)
            if column.type is ColumnType.NUMBER
        }
        return comparable(
            {
                name: float(value) if name in numbers else value
                for name, value in found.items()
                if value is not None and "." not in name
            }
        )

    def _write(
        self, method: str, path: str, body: bytes | None = None, *, lines: bool = False, allowed: tuple[int, ...] = ()
    ) -> Said:
        """Call with the owner's key.  Raises Superseded if it is no longer taken."""
        headers = {"X-TYPESENSE-API-KEY": self._key}
        said = self._calls.ask(method, path, body, lines=lines, headers=headers, allowed=(401, 403, 404))
        if said.status in (401, 403):
            raise Superseded("another delivers to this sink now")
        if said.status == 404 and 404 not in allowed and method != "DELETE":
            raise Superseded(f"a collection is gone: {reason(said)}")
        return said

    def close(self) -> None:
        self._calls.close()
