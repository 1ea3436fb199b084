"""Deliver to OpenSearch (2.12 or newer) or Elasticsearch (7.11 or newer), by what both have in common.

Every document is written with the number of its change as external version, so an older write changes nothing.  Writes
go through an alias of their own, the gate: it is what remains of the protection once a deleted document's version is
forgotten (``gc_deletes``).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from shared.catalog.pages import StoredEntry
from shared.codec import encode_json
from shared.model import Kind
from shared.sinks.destination import DeadLetter, DestinationAway, DestinationRefuses, Superseded
from shared.sinks.mapping import Document
from shared.sinks.mapping import Mapping as SinkMapping
from shared.sinks.search.bulk_lines import GUARD, BulkLine, delete_line, index_line, result_of, source_of
from shared.sinks.search.http_calls import BUSY, HttpCalls, Said, basic, read_engine_url
from shared.sinks.search.ledger_destination import LedgerDestination, comparable
from shared.sinks.search.opensearch_answers import check_whole, entries_found, entries_got
from shared.sinks.search.opensearch_fields import properties
from shared.sinks.sinks import BadSink, Sink
from shared.waiting import WaitedInVain, wait_until

#: The index with the ledgers of all sinks.
LEDGERS = "sluice_sinks"
#: How long the versions of deleted documents are kept: longer than a write can be on its way inside a cluster.
GC_DELETES = "10m"
#: Most bytes of an id.
ID_BYTES = 512
#: Seconds between two attempts at what a busy cluster did not take.
AGAIN_S = 0.25
#: Documents read at a time.
PAGE = 50
#: Those that are put together with others.
TOGETHER = 100

_OPTIONS = ("api_key", "replicas", "shards")


def check_sink(url: str, mapping: SinkMapping) -> None:
    """Raise BadSink unless this is a URL of a cluster, and it can have such documents."""
    options = read_engine_url(url, _OPTIONS).options
    for name in ("shards", "replicas"):
        if name in options and not options[name].isdecimal():
            raise BadSink(f"{name} is a number")


def connect(sink: Sink, catalog_key: str, *, timeout_s: float) -> LedgerDestination:
    """Open a sink's destination."""
    check_sink(sink.url, sink.mapping)
    return LedgerDestination(OpenSearch(sink, timeout_s=timeout_s), sink, catalog_key, timeout_s=timeout_s)


class OpenSearch:
    """A cluster; a `shared.sinks.search.engine.Engine`."""

    compares = True

    def __init__(self, sink: Sink, *, timeout_s: float) -> None:
        at = read_engine_url(sink.url, _OPTIONS)
        headers = {}
        if "api_key" in at.options:
            headers["Authorization"] = f"ApiKey {at.options['api_key']}"
        elif at.user:
            headers["Authorization"] = basic(at.user, at.password)
        self._calls = HttpCalls(at.base, headers, timeout_s=timeout_s)
        self._name = sink.name
        self._mapping = sink.mapping
        self._settings: dict[str, Any] = {"gc_deletes": GC_DELETES}
        for option, setting in (("shards", "number_of_shards"), ("replicas", "number_of_replicas")):
            if option in at.options:
                self._settings[setting] = int(at.options[option])

    def limit(self, seconds: float) -> contextlib.AbstractContextManager[None]:
        return self._calls.limit(seconds)

    def load(self) -> tuple[bytes, Any] | None:
        said = self._calls.ask("GET", f"/{LEDGERS}/_doc/{self._name}", allowed=(404,))
        if said.status == 404:
            return None
        found = said.json()
        return encode_json(found["_source"]), (found["_seq_no"], found["_primary_term"])

    def save(self, ledger: bytes, tag: Any) -> Any:
        if tag is None:
            self._create_ledgers()
        condition = "op_type=create" if tag is None else f"if_seq_no={tag[0]}&if_primary_term={tag[1]}"
        said = self._calls.ask("PUT", f"/{LEDGERS}/_doc/{self._name}?{condition}", ledger, allowed=(409,))
        if said.status == 409:
            raise Superseded("another delivers to this sink now")
        found = said.json()
        return found["_seq_no"], found["_primary_term"]

    def _create_ledgers(self) -> None:
        body = encode_json({"mappings": {"dynamic": False}})
        # 400: another has created it meanwhile.
        self._calls.ask("PUT", f"/{LEDGERS}", body, allowed=(400,))

    def fence(self, gate: str, number: int, places: Sequence[str], confirm: Callable[[], None]) -> str:
        self._check_cluster()
        gates = {place: self._gates(place) for place in places}
        confirm()
        actions: list[Any] = []
        for place, open_ones in gates.items():
            actions += [*(_replaced(place, each) for each in open_ones), _add(place, _gate(place, str(number)))]
        if actions:
            said = self._calls.ask("POST", "/_aliases", encode_json({"actions": actions}), allowed=(404,))
            if said.status == 404:
                raise Superseded("another delivers to this sink now")
        return str(number)

    def _gates(self, place: str) -> list[str]:
        aliases = self._calls.ask("GET", f"/{place}/_alias").json()[place]["aliases"]
        return [alias for alias in aliases if alias.startswith(_gate(place, ""))]

    def _check_cluster(self) -> None:
        """Raise DestinationRefuses if the cluster is too old to switch copies, before anything is copied."""
        place = f"{self._name}-0"
        # 404: it knows what is asked, and there is no such index.
        body = encode_json({"actions": [_replaced(place, _gate(place, "0"))]})
        if self._calls.ask("POST", "/_aliases", body, allowed=(400, 404)).status == 400:
            raise DestinationRefuses(
                "this cluster is too old (it does not know must_exist in _aliases): OpenSearch has to be 2.12 or newer,"
                " Elasticsearch 7.11"
            )

    def create(self, place: str, kind: Kind, gate: str) -> None:
        body = {
            "settings": {"index": self._settings},
            "mappings": {"dynamic": False, "properties": properties(self._mapping, kind)},
            "aliases": {_gate(place, gate): {}},
        }
        self._calls.ask("PUT", f"/{place}", encode_json(body))

    def has(self, place: str) -> bool:
        return self._calls.ask("HEAD", f"/{place}", allowed=(404,)).status != 404

    def drop(self, place: str) -> None:
        self._calls.ask("DELETE", f"/{place}", allowed=(404,))

    def led_to(self, name: str) -> list[str]:
        said = self._calls.ask("GET", f"/_alias/{name}", allowed=(404,))
        if said.status != 404:
            return sorted(said.json())
        return [name] if self.has(name) else []

    def point(self, names: Mapping[str, str | None], led: Mapping[str, Sequence[str]], gate: str, number: int) -> str:
        actions: list[Any] = []
        for name, place in names.items():
            # An index that came meanwhile makes the cluster refuse the alias.
            for before in led[name]:
                actions.append({"remove_index": {"index": name}} if before == name else _remove(before, name))
            if place is not None:
                # Whose gate is closed comes too late.
                actions.append(_replaced(place, _gate(place, gate)))
                actions += [_add(place, _gate(place, str(number))), _add(place, name)]
        said = self._calls.ask("POST", "/_aliases", encode_json({"actions": actions}), allowed=(404,))
        if said.status == 404:
            raise Superseded("another delivers to this sink now")
        return str(number)

    def write(
        self, place: str, gate: str, number: int, kind: Kind, documents: Sequence[Document], gone: Sequence[str]
    ) -> list[DeadLetter]:
        dead, lines = list[DeadLetter](), list[BulkLine]()
        for entry_id in gone:
            if len(entry_id.encode()) <= ID_BYTES:
                lines.append(delete_line(entry_id, number))
        for one in documents:
            if len(one.id.encode()) > ID_BYTES:
                dead.append(DeadLetter(kind, one.id, f"an id has at most {ID_BYTES} bytes in this search engine"))
            else:
                lines.append(index_line(one, number))
        refused = self._send(_gate(place, gate), lines)
        dead += [DeadLetter(kind, line.id, reason) for line, reason in refused]
        # What is refused now has no place there, nor has its earlier version.
        if again := [delete_line(line.id, number) for line, _ in refused if line.document is not None]:
            self._send(_gate(place, gate), again)
        return dead

    def _send(self, alias: str, lines: Sequence[BulkLine]) -> list[tuple[BulkLine, str]]:
        """Send lines until all are taken or refused; an id is there once, so their order does not matter.

        Raises DestinationAway if the cluster is busy for too long.
        """
        left, refused, said = list(lines), list[tuple[BulkLine, str]](), ""

        def taken() -> bool:
            nonlocal left, said
            busy = list[BulkLine]()
            for line, (status, reason) in zip(left, self._bulk(alias, left), strict=True):
                if status in BUSY or status >= 500:
                    busy.append(line)
                    said = f"{status}: {reason}"
                elif status in (401, 403):
                    raise DestinationRefuses(f"{status}: {reason}")
                elif status == 404 and (line.document is not None or reason):
                    raise Superseded(f"another delivers to this sink now, or its index is gone: {reason}")
                # 409: it is there already, or a later one.
                elif status not in (404, 409) and status >= 400:
                    refused.append((line, reason))
            left = busy
            return not left

        try:
            wait_until(taken, "the cluster takes all", timeout_s=max(0.0, self._calls.left_s), every_s=AGAIN_S)
        except WaitedInVain:
            raise DestinationAway(said) from None
        return refused

    def _bulk(self, alias: str, lines: Sequence[BulkLine]) -> list[tuple[int, str]]:
        """Send lines once; returns a status and a reason for each."""
        if not lines:
            return []
        deletes = all(line.document is None for line in lines)
        body = (GUARD if deletes else b"") + b"".join(line.body for line in lines)
        path = f"/{quote(alias)}/_bulk?require_alias=true"
        said = self._calls.ask("POST", path, body, lines=True, allowed=(400, 413, 429, 503))
        if said.status in (429, 503):
            return [(said.status, "the cluster is busy")] * len(lines)
        if said.status in (400, 413):
            if len(lines) == 1:
                return [(400, f"{said.status}: the cluster refuses the whole request")]
            half = len(lines) // 2
            return self._bulk(alias, lines[:half]) + self._bulk(alias, lines[half:])
        results = [next(iter(item.values())) for item in said.json()["items"]]
        if deletes and results.pop(0).get("error", {}).get("type") == "index_not_found_exception":
            raise Superseded("another delivers to this sink now")
        return [result_of(one) for one in results]

    def find(self, place: str, ids: Sequence[str]) -> Iterator[StoredEntry]:
        # Whole documents: the engine spells numbers anew if it leaves out something else.
        possible = [entry_id for entry_id in ids if len(entry_id.encode()) <= ID_BYTES]
        for first in range(0, len(possible), TOGETHER):
            body = encode_json({"ids": possible[first : first + TOGETHER]})
            yield from entries_got(self._calls.ask("POST", f"/{place}/_mget", body).body)

    def find_of(self, place: str, items: Sequence[str]) -> Iterator[StoredEntry]:
        self._refresh(place)
        for first in range(0, len(items), TOGETHER):
            theirs: Any = {"terms": {"item_id": items[first : first + TOGETHER]}}
            more, behind = True, ""
            while more:
                both = {"bool": {"filter": [theirs, {"range": {"id": {"gt": behind}}}]}}
                query = {"size": TOGETHER, "query": both, "sort": [{"id": "asc"}]}
                page = entries_found(self._search(place, query).body)
                yield from page
                more, behind = len(page) == TOGETHER, page[-1].id if page else behind

    def wanted(self, kind: Kind, document: Document) -> Any:
        return comparable(json.loads(source_of(document)))

    def read(self, place: str, ids: Sequence[str], after: str, until: str) -> dict[str, Any]:
        self._refresh(place)
        found: dict[str, Any] = {}
        behind = after
        while True:
            bounds = {"gt": behind, **({"lte": until} if until else {})}
            query = {"size": PAGE, "query": {"range": {"id": bounds}}, "sort": [{"id": "asc"}]}
            check_whole(answer := self._search(place, query).json())
            hits = answer["hits"]["hits"]
            for hit in hits:
                behind = hit["_source"]["id"]
                found[hit["_id"]] = comparable(hit["_source"])
            if len(hits) < PAGE:
                return found

    def _refresh(self, place: str) -> None:
        check_whole(self._calls.ask("POST", f"/{place}/_refresh").json())

    def _search(self, place: str, query: Mapping[str, Any]) -> Said:
        return self._calls.ask("POST", f"/{place}/_search?allow_partial_search_results=false", encode_json(query))

    def close(self) -> None:
        self._calls.close()


def _gate(place: str, gate: str) -> str:
    return f"{place}-w{gate}"


def _add(place: str, alias: str) -> Mapping[str, Any]:
    return {"add": {"index": place, "alias": alias}}


def _remove(place: str, alias: str) -> Mapping[str, Any]:
    return {"remove": {"index": place, "alias": alias}}


def _replaced(place: str, alias: str) -> Mapping[str, Any]:
    return {"remove": {"index": place, "alias": alias, "must_exist": True}}
