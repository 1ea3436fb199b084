"""A part of an answer of OpenSearch is no answer: what it leaves out would seem to be gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.model import Kind
from shared.sinks.destination import DestinationAway
from shared.sinks.mapping import Mapping, Variations
from shared.sinks.search.http_calls import HttpCalls, Said
from tests.support.batches import items, variations
from tests.support.search_server import OpenSearchRig

pytestmark = pytest.mark.parametrize("any_sink", ["opensearch"], indirect=True)


def no_hits(answer: Any) -> None:
    answer["hits"]["hits"] = []


def shards_failed(answer: Any) -> None:
    no_hits(answer)
    answer["_shards"] = {"total": 2, "successful": 1, "failed": 1}


def timed_out(answer: Any) -> None:
    no_hits(answer)
    answer["timed_out"] = True


def refresh_failed(answer: Any) -> None:
    answer["_shards"] = {"total": 2, "successful": 1, "failed": 1}


def unreadable(answer: Any) -> None:
    answer["docs"] = [{"_id": one["_id"], "error": {"type": "no_shard"}} for one in answer["docs"]]


def answered(patch: pytest.MonkeyPatch, word: str, spoil: Callable[[Any], None]) -> None:
    """Spoil the answers to calls of such a path."""
    real = HttpCalls.ask

    def ask(calls: HttpCalls, method: str, path: str, *of: Any, **more: Any) -> Said:
        said = real(calls, method, path, *of, **more)
        if word not in path:
            return said
        spoil(answer := said.json())
        return Said(said.status, json.dumps(answer).encode())

    patch.setattr(HttpCalls, "ask", ask)


SPOILED = [
    ("_search", shards_failed), ("_search", timed_out), ("_refresh", refresh_failed), ("_mget", unreadable),
]  # fmt: skip


@pytest.mark.parametrize(("word", "spoil"), SPOILED)
def test_an_item_keeps_its_variations_while_only_a_part_of_the_cluster_answers(
    any_sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch, word: str, spoil: Callable[[Any], None]
) -> None:
    sink = any_sink
    sink.rig.put(*items("a", "b"))
    sink.rig.put(*variations("a", "v1"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add(Mapping(mode=Variations.NESTED))
    sink.settle()
    sink.rig.put({"id": "a", "name": "Newer"})
    sink.rig.put({"id": "v1", "item_id": "b"}, kind=Kind.VARIATIONS)
    sink.rig.drain()
    with monkeypatch.context() as patch:
        answered(patch, word, spoil)
        assert sink.turn() == "failed"
        assert sink.nested() == {"a": ["v1"], "b": []}
    sink.turns = sink.worker("two")
    sink.rig.clock.advance(100_000)
    sink.settle()
    assert sink.nested() == {"a": [], "b": ["v1"]}


@pytest.mark.parametrize(("word", "spoil"), SPOILED[:3])
def test_a_verification_takes_no_part_of_an_answer_for_all(
    any_sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch, word: str, spoil: Callable[[Any], None]
) -> None:
    sink = any_sink
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    answered(monkeypatch, word, spoil)
    with pytest.raises(DestinationAway):
        sink.verify()
