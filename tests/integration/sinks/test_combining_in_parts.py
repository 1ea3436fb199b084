"""What is put together with changed entries is bounded, however much of it there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from shared.model import Kind
from shared.sinks.destination import DestinationAway
from shared.sinks.mapping import Document, Mapping, Variations
from shared.sinks.search import combining
from shared.sinks.search.opensearch import OpenSearch
from tests.support.batches import items, variations
from tests.support.search_server import OpenSearchRig
from tests.support.sinks import DeliveryRig

ITEMS = [f"i{number}" for number in range(8)]


def fill(sink: DeliveryRig, mode: Variations) -> None:
    """Deliver items with two variations each."""
    sink.rig.put(*items(*ITEMS))
    for one in ITEMS:
        sink.rig.put(*variations(one, f"{one}-a", f"{one}-b"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add(Mapping(mode=mode))
    sink.settle()


def rename(sink: DeliveryRig) -> None:
    sink.rig.put(*({"id": one, "name": f"New {one}"} for one in ITEMS))
    sink.rig.drain()


def seen(sink: DeliveryRig, mode: Variations) -> Any:
    return sink.nested() if mode is Variations.NESTED else sink.flat()


def wanted(mode: Variations) -> Any:
    if mode is Variations.NESTED:
        return {one: [f"{one}-a", f"{one}-b"] for one in ITEMS}
    return {f"{one}-{each}": f"New {one}" for one in ITEMS for each in "ab"}


@pytest.mark.parametrize("any_sink", ["opensearch", "typesense"], indirect=True)
@pytest.mark.parametrize("mode", [Variations.NESTED, Variations.FLAT])
@pytest.mark.parametrize(("bound", "most"), [("MOST_RELATED", 4), ("MOST_RELATED", 1), ("MOST_RELATED_BYTES", 100)])
def test_a_change_is_cut_until_what_belongs_to_it_is_not_too_much(
    any_sink: DeliveryRig, monkeypatch: pytest.MonkeyPatch, mode: Variations, bound: str, most: int
) -> None:
    sink = any_sink
    fill(sink, mode)
    rename(sink)
    monkeypatch.setattr(combining, bound, most)
    sink.settle()
    sink.check()
    assert seen(sink, mode) == wanted(mode)
    assert [found.wrong for found in sink.verify()] == [0, 0]


@pytest.mark.parametrize("any_sink", ["opensearch"], indirect=True)
def test_no_request_has_more_than_the_bound_and_a_lost_worker_leaves_nothing_out(
    any_sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = any_sink
    fill(sink, Variations.NESTED)
    monkeypatch.setattr(combining, "MOST_RELATED", 4)
    real, sizes, cut = OpenSearch.write, list[int](), 3

    def write(engine: OpenSearch, place: str, gate: str, number: int, kind: Kind, some: Any, gone: Any) -> Any:
        documents: Sequence[Document] = some
        sizes.append(sum(len(one.related or ()) for one in documents))
        if len(sizes) == cut:
            raise DestinationAway("cut off")
        return real(engine, place, gate, number, kind, documents, gone)

    monkeypatch.setattr(OpenSearch, "write", write)
    rename(sink)
    assert sink.turn() == "failed"
    sink.rig.clock.advance(100_000)
    sink.turns = sink.worker("two")
    sink.settle()
    sink.check()
    assert sink.nested() == wanted(Variations.NESTED)
    assert max(sizes) == 4
    assert len(sizes) == cut + 4


@pytest.mark.parametrize("any_sink", ["opensearch"], indirect=True)
def test_a_repair_is_cut_too(any_sink: OpenSearchRig, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = any_sink
    fill(sink, Variations.NESTED)
    monkeypatch.setattr(combining, "MOST_RELATED", 1)
    place = sink.ledger()["live"]["places"]["items"]
    for one in ITEMS:
        sink.ask("DELETE", f"/{place}/_doc/{one}")
    assert [found.wrong for found in sink.verify(repair=True)] == [len(ITEMS), 0]
    assert sink.nested() == wanted(Variations.NESTED)
