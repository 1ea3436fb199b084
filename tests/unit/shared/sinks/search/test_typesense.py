"""Refusals of Typesense are judged line by line; what it did not take is sent again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from shared.model import Kind
from shared.sinks.destination import DestinationAway, Superseded, check_sink
from shared.sinks.mapping import DEFAULT, Document
from shared.sinks.search.typesense import Typesense
from shared.sinks.sinks import BadSink, Sink
from tests.support.scripted_http import Asked, Script, ScriptedServer

Serve = Callable[[Script], tuple[Typesense, ScriptedServer]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers = list[ScriptedServer]()

    def serve(script: Script) -> tuple[Typesense, ScriptedServer]:
        server = ScriptedServer(script)
        servers.append(server)
        url = server.url.replace("http://", "typesense+http://:key@")
        return Typesense(Sink("id", "products", url, "Products", 0), timeout_s=5), server

    yield serve
    for server in servers:
        server.stop()


def ids(asked: Asked) -> list[str]:
    return [json.loads(line)["id"] for line in asked.body.splitlines()]


def answer(asked: Asked, codes: dict[str, int]) -> tuple[int, bytes]:
    if not asked.body:
        return 200, b"{}"
    told = [
        {"success": False, "code": codes[one], "error": f"no {one}"} if one in codes else {"success": True}
        for one in ids(asked)
    ]
    return 200, b"\n".join(json.dumps(one).encode() for one in told)


def write(engine: Typesense, *names: str, seconds: float = 5) -> dict[str, str]:
    documents = [Document(one, None, 0, b"{}", {"name": one}) for one in names]
    with engine.limit(seconds):
        return {one.id: one.reason for one in engine.write("p", "1", 7, Kind.ITEMS, documents, [])}


def test_what_a_busy_server_did_not_take_is_sent_again_in_order_and_nothing_else(serve: Serve) -> None:
    rounds: list[dict[str, int]] = [{"b": 500, "d": 503}, {"d": 429}, {}]
    engine, server = serve(lambda asked: answer(asked, rounds[len(server.asked) - 1]))
    assert write(engine, "a", "b", "c", "d") == {}
    assert [ids(asked) for asked in server.asked] == [["a", "b", "c", "d"], ["b", "d"], ["d"]]


def test_an_entry_that_is_refused_is_a_dead_letter_and_its_earlier_version_goes(serve: Serve) -> None:
    engine, server = serve(lambda asked: answer(asked, {"b": 400}))
    assert write(engine, "a", "b") == {"b": "no b"}
    assert [asked.method for asked in server.asked] == ["POST", "DELETE"]
    assert server.asked[1].path == "/collections/p/documents?filter_by=id%3A%5Bb%5D"


@pytest.mark.parametrize(("status", "error"), [(503, DestinationAway), (401, Superseded), (404, Superseded)])
def test_a_server_that_refuses_the_whole_request_makes_no_dead_letter(
    serve: Serve, status: int, error: type[Exception]
) -> None:
    engine, _ = serve(lambda asked: (status, b'{"message": "not now"}'))
    with pytest.raises(error):
        write(engine, "a")


@pytest.mark.parametrize("hangs", [True, False])
def test_a_server_that_hangs_or_stays_busy_is_given_up(serve: Serve, hangs: bool) -> None:
    engine, _ = serve(lambda asked: None if hangs else answer(asked, {"a": 503}))
    with pytest.raises(DestinationAway):
        write(engine, "a", seconds=0.3)


def test_a_url_needs_a_key() -> None:
    with pytest.raises(BadSink, match="the API key is the password"):
        check_sink("typesense+https://host", DEFAULT)
