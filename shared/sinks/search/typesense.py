"""Deliver to Typesense: in order and at least once.

It keeps no versions and compares nothing.  So each owner writes with an API key of its own, restricted to its sink, and
whoever takes over removes the keys of all others: what they still send is refused.
"""

from __future__ import annotations

import contextlib
import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from urllib.parse import quote

from shared.codec import encode_json
from shared.model import Kind
from shared.sinks.destination import DeadLetter, DestinationAway, Superseded
from shared.sinks.mapping import ColumnType, Document
from shared.sinks.mapping import Mapping as SinkMapping
from shared.sinks.search.http_calls import BUSY, HttpCalls, Said, read_engine_url, reason
from shared.sinks.search.ledger_destination import LedgerDestination, comparable
from shared.sinks.search.modes import check_mode
from shared.sinks.sinks import BadSink, Sink
from shared.waiting import WaitedInVain, wait_until

#: The collection with the ledgers of all sinks.
LEDGERS = "sluice_sinks"
#: Seconds between two attempts at what a busy server did not take.
AGAIN_S = 0.25
#: Ids named in one filter.
FILTER_IDS = 50

#: Ids that a filter can name as they are.
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,60}", re.ASCII)
_TYPES: Mapping[ColumnType, Mapping[str, Any]] = {
    ColumnType.TEXT: {"type": "string", "facet": True},
    ColumnType.TEXTS: {"type": "string[]", "facet": True},
    ColumnType.INTEGER: {"type": "int64", "facet": True},
    ColumnType.NUMBER: {"type": "float", "facet": True},
    ColumnType.BOOLEAN: {"type": "bool", "facet": True},
    ColumnType.TIME: {"type": "int64"},
    ColumnType.JSON: {"type": "string", "index": False},
}
#: Every document has them, beside its id.
_FIXED = (
    {"name": "item_id", "type": "string", "optional": True, "facet": True},
    {"name": "updated_at", "type": "int64", "optional": True},
    {"name": "body", "type": "string", "optional": True, "index": False},
)


def check_sink(url: str, mapping: SinkMapping) -> None:
    """Raise BadSink unless this is a URL of a server with a key, and it can have such documents."""
    check_mode(mapping)
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

    def fence(self, gate: str, number: int, places: Sequence[str]) -> str:
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
            if key["description"] == self._description and key["id"] != own["id"]:
                self._calls.ask("DELETE", f"/keys/{key['id']}", allowed=(404,))
        self._key = own["value"]
        return str(number)

    @property
    def _description(self) -> str:
        return f"sluice sink {self._name}: its worker's, made anew by each"

    def create(self, place: str, kind: Kind, gate: str) -> None:
        columns = [{"name": one.name, "optional": True, **_TYPES[one.type]} for one in self._mapping.columns(kind)]
        self._calls.ask("POST", "/collections", encode_json({"name": place, "fields": [*_FIXED, *columns]}))

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
        columns = {column.name: column.type for column in self._mapping.columns(kind)}
        for one in documents:
            try:
                lines.append((one.id, encode_json(_row(one, columns))))
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
        for part in _filters(ids):
            self._write("DELETE", f"/collections/{place}/documents?filter_by={part}")
        for entry_id in _others(ids):
            self._write("DELETE", _path(place, entry_id), allowed=(404,))

    def wanted(self, kind: Kind, document: Document) -> Any:
        columns = {column.name: column.type for column in self._mapping.columns(kind)}
        return self._comparable(json.loads(encode_json(_row(document, columns))))

    def read(self, place: str, ids: Sequence[str], after: str, until: str) -> dict[str, Any]:
        if not after or self._ids[0] != place:
            said = self._calls.ask("GET", f"/collections/{place}/documents/export?include_fields=id")
            self._ids = place, sorted(json.loads(line)["id"].encode() for line in said.body.splitlines())
        there = self._ids[1]
        begin = bisect_right(there, after.encode()) if after else 0
        end = bisect_right(there, until.encode()) if until else len(there)
        asked = list(dict.fromkeys([*ids, *(one.decode() for one in there[begin:end])]))
        found = list[Any]()
        for part in _filters(asked):
            said = self._calls.ask("GET", f"/collections/{place}/documents/export?filter_by={part}")
            found += map(json.loads, said.body.splitlines())
        for entry_id in _others(asked):
            said = self._calls.ask("GET", _path(place, entry_id), allowed=(404,))
            found += [] if said.status == 404 else [said.json()]
        return {one["id"]: self._comparable(one) for one in found}

    def _comparable(self, found: dict[str, Any]) -> dict[str, Any]:
        """Leave out what is null, as the server does, and take numbers as it keeps them."""
        numbers = {
            column.name
            for kind in self._mapping.kinds
            for column in self._mapping.columns(kind)
            if column.type is ColumnType.NUMBER
        }
        return comparable(
            {name: float(value) if name in numbers else value for name, value in found.items() if value is not None}
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


def _filters(ids: Sequence[str]) -> Iterator[str]:
    """Write ids that a filter can name as filters, for a query."""
    plain = [entry_id for entry_id in ids if _PLAIN.fullmatch(entry_id)]
    for _, part in groupby(enumerate(plain), lambda each: each[0] // FILTER_IDS):
        yield quote(f"id:[{','.join(entry_id for _, entry_id in part)}]", safe="")


def _others(ids: Sequence[str]) -> Iterator[str]:
    return (entry_id for entry_id in ids if not _PLAIN.fullmatch(entry_id))


def _path(place: str, entry_id: str) -> str:
    """Name a document; none that is named so consists of dots, which a path would lose."""
    return f"/collections/{place}/documents/{quote(entry_id, safe='')}"


def _row(one: Document, columns: Mapping[str, ColumnType]) -> dict[str, Any]:
    row: dict[str, Any] = {"id": one.id, "body": one.body.decode(), "updated_at": one.updated_ms // 1000}
    if one.item_id is not None:
        row["item_id"] = one.item_id
    return row | {name: _value(one.columns[name], type_) for name, type_ in columns.items()}


def _value(value: Any, type_: ColumnType) -> Any:
    if value is None:
        return None
    if type_ is ColumnType.TIME:
        return int(datetime.fromisoformat(value).timestamp())
    return encode_json(value).decode() if type_ is ColumnType.JSON else value
