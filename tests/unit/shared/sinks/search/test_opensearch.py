"""Refusals of a cluster are judged item by item: again in order, a dead letter, or a person's turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.model import Kind
from shared.sinks.destination import DestinationAway, DestinationRefuses, Superseded, check_sink
from shared.sinks.mapping import DEFAULT, Document
from shared.sinks.search.opensearch import OpenSearch
from shared.sinks.sinks import BadSink, Sink
from tests.support.scripted_http import Asked, Script, ScriptedServer

Serve = Callable[[Script], tuple[OpenSearch, ScriptedServer]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers = list[ScriptedServer]()

    def serve(script: Script) -> tuple[OpenSearch, ScriptedServer]:
        server = ScriptedServer(script)
        servers.append(server)
        sink = Sink("id", "products", "opensearch+" + server.url, "Products", 0)
        return OpenSearch(sink, timeout_s=5), server

    yield serve
    for server in servers:
        server.stop()


def ids(asked: Asked) -> list[str]:
    """The ids that a bulk request names, in order."""
    found = (json.loads(line) for line in asked.body.splitlines())
    return [next(iter(line.values()))["_id"] for line in found if line.keys() & {"index", "delete"}]


def answer(asked: Asked, statuses: dict[str, int]) -> tuple[int, bytes]:
    told = [
        {"index": {"_id": one, "status": statuses.get(one, 200)}
         | ({"error": {"reason": f"no {one}"}} if statuses.get(one, 200) >= 400 else {})}
        for one in ids(asked)
    ]  # fmt: skip
    # Before deletions alone goes an update.
    first = [{"update": {"status": 404}}] if asked.body.startswith(b'{"update"') else []
    return 200, json.dumps({"errors": True, "items": first + told}).encode()


def documents(*names: str) -> list[Document]:
    return [Document(one, None, 0, b"{}") for one in names]


def write(engine: OpenSearch, *names: str, gone: tuple[str, ...] = ()) -> dict[str, str]:
    with engine.limit(5):
        return {one.id: one.reason for one in engine.write("p", "1", 7, Kind.ITEMS, documents(*names), gone)}


def test_what_a_busy_cluster_did_not_take_is_sent_again_in_order_and_nothing_else(serve: Serve) -> None:
    rounds: list[dict[str, int]] = [{"b": 429, "d": 503, "gone": 500}, {"d": 429}, {}]
    engine, server = serve(lambda asked: answer(asked, rounds[len(server.asked) - 1]))
    assert write(engine, "a", "b", "c", "d", gone=("gone",)) == {}
    assert [ids(asked) for asked in server.asked] == [["gone", "a", "b", "c", "d"], ["gone", "b", "d"], ["d"]]


def test_a_cluster_that_is_busy_as_a_whole_is_asked_again(serve: Serve) -> None:
    engine, server = serve(lambda asked: (429, b"slow down") if len(server.asked) < 3 else answer(asked, {}))
    assert write(engine, "a") == {}
    assert len(server.asked) == 3


def test_an_entry_that_is_refused_is_a_dead_letter_and_its_earlier_version_goes(serve: Serve) -> None:
    engine, server = serve(lambda asked: answer(asked, {"b": 400} if len(server.asked) == 1 else {}))
    assert write(engine, "a", "b") == {"b": "no b"}
    # Deletions alone would create the index that they name, were it not for what goes before them.
    assert server.asked[1].body.startswith(b'{"update"')
    assert b"delete" in server.asked[1].body
    assert ids(server.asked[1]) == ["b"]


def test_a_later_version_that_is_there_is_no_failure(serve: Serve) -> None:
    engine, _ = serve(lambda asked: answer(asked, {"a": 409}))
    assert write(engine, "a", gone=("x",)) == {}


@pytest.mark.parametrize(("status", "error"), [(403, DestinationRefuses), (404, Superseded)])
def test_what_is_nobodys_fault_but_the_operators_or_a_successors_makes_no_dead_letter(
    serve: Serve, status: int, error: type[Exception]
) -> None:
    engine, _ = serve(lambda asked: answer(asked, {"a": status}))
    with pytest.raises(error, match="no a"):
        write(engine, "a", "b")


@pytest.mark.parametrize("status", [400, 413])
def test_a_request_that_is_refused_as_a_whole_is_halved_until_the_entry_is_found(serve: Serve, status: int) -> None:
    engine, _ = serve(
        lambda asked: (status, b"{}") if "c" in ids(asked) and b'"index"' in asked.body else answer(asked, {})
    )
    assert list(write(engine, "a", "b", "c", "d", "e")) == ["c"]


@pytest.mark.parametrize("hangs", [True, False])
def test_a_cluster_that_hangs_or_stays_busy_is_given_up(serve: Serve, hangs: bool) -> None:
    engine, _ = serve(lambda asked: None if hangs else answer(asked, {"a": 429}))
    with engine.limit(0.3), pytest.raises(DestinationAway):
        engine.write("p", "1", 7, Kind.ITEMS, documents("a"), [])


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_password_is_a_persons_turn(serve: Serve, status: int) -> None:
    engine, _ = serve(lambda asked: (status, b'{"error": {"reason": "who are you?"}}'))
    with pytest.raises(DestinationRefuses, match="who are you"):
        engine.load()


def test_a_cluster_that_is_too_old_to_switch_copies_is_refused_before_anything_is_copied(serve: Serve) -> None:
    said = b'{"error": {"reason": "[7:23] [aliases] failed to parse field [actions]"}}'
    engine, server = serve(lambda asked: (400, said) if b"must_exist" in asked.body else (200, b"{}"))
    with pytest.raises(DestinationRefuses, match="is too old"):
        engine.fence("", 1, [], lambda: None)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("opensearch+https://host/index", "a URL of a search engine is"),
        ("opensearch+https://host:port", "a URL of a search engine is"),
        ("opensearch+https://host?shard=1", "no option 'shard'"),
        ("opensearch+https://host?shards=many", "shards is a number"),
        ("opensearch://host", "a URL of a sink begins with"),
    ],
)
def test_a_url_that_cannot_be_is_refused(url: str, said: str) -> None:
    with pytest.raises(BadSink, match=said):
        check_sink(url, DEFAULT)


def test_passwords_and_keys_are_sent_and_not_shown(serve: Serve) -> None:
    headers: Any = OpenSearch(Sink("id", "p", "elasticsearch+https://u:p%40@h", "P", 0), timeout_s=5)._calls._headers
    assert headers == {"Authorization": "Basic dTpwQA=="}
    sink = Sink("id", "p", "elasticsearch+https://h?api_key=secret", "P", 0)
    assert OpenSearch(sink, timeout_s=5)._calls._headers == {"Authorization": "ApiKey secret"}
    assert sink.shown_url == "elasticsearch+https://h"
