"""Ways to write that mislead an estimate of the memory that is needed, each after what has to be there before."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from tests.acceptance.memory import texts
from tests.acceptance.memory.texts import Entry, Text
from tests.acceptance.memory.trial import FILLED, MAXMEMORY, Make, Request, put_batch
from tests.support.files import MULTIPART, multipart

WAIT = {"wait": 0}
#: The first numbers of what is there before, about: batches of 1,000 long items, and of shorter ones.
LONG = range(0, 4 * (MAXMEMORY >> 26) * 10_000, 10_000)
SHORTER = range(0, 28 * (MAXMEMORY >> 26) * 10_000, 10_000)


class Write(NamedTuple):
    """A way to write."""

    make: Make
    #: What is sent and applied before, until it takes this share of the memory.
    before: Sequence[Text] = ()
    share: float = 0.0
    #: At least this share is taken in the end.
    filled: float = FILLED


def _json(method: str, path: str, value: Any, entries: Mapping[str, int] | None = None, **query: Any) -> Request:
    return Request(method, path, json.dumps(value).encode(), query, entries=entries or {})


def _file(method: str, kind: str, rows: Sequence[Entry], **query: Any) -> Request:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    return Request(method, "/v1/catalog", multipart({kind: text}), {"format": "jsonl", **query}, MULTIPART)


# -- V1 ---------------------------------------------------------------------------------------------------------------


def items_with_variations(_: random.Random, first: int) -> Request:
    """Tiny items, each with ten tiny variations."""
    items = [
        {"id": f"i{n}", "item_name": "a", "variations": [{"id": f"{n}-{size}"} for size in range(10)]}
        for n in range(first, first + 900)
    ]
    return _json("POST", "/v1/batch_items", {"section": "Products", "items": items}, **WAIT)


def one_item(_: random.Random, first: int) -> Request:
    """A task for each tiny item."""
    return _json("POST", "/v1/item", {"section": "Products", "id": f"i{first}", "item_name": "a"}, **WAIT)


def nested_groups(draw: random.Random, first: int) -> Request:
    groups = [
        {"id": f"c{n}", "name": "a", "children": [{"id": f"c{n}-{m}", "name": texts.word(draw, 9)} for m in range(9)]}
        for n in range(first, first + 90)
    ]
    return _json("POST", "/v1/item_groups", {"item_groups": groups}, **WAIT)


# -- files ------------------------------------------------------------------------------------------------------------


def delta_file(draw: random.Random, first: int) -> Request:
    """Of rows that compress well."""
    return _file("PATCH", "items", [texts.boilerplate(draw, n) for n in range(first, first + 2_000)])


def sync_file(draw: random.Random, first: int) -> Request:
    """The whole catalogue anew, none of which was there before."""
    return _file("PUT", "items", [texts.tiny(draw, n) for n in range(first, first + 10_000)], force=True)


def sync_of_one(draw: random.Random, first: int) -> Request:
    """All that is there is left out, and each of its ids is told to followers."""
    return _file("PUT", "items", [texts.tiny(draw, first)], force=True)


def sync_of_one_variation(draw: random.Random, first: int) -> Request:
    """Each item is touched, for it loses its variations."""
    return _file("PUT", "variations", [texts.variation(draw, first)], force=True)


def kept_ids(_: random.Random, __: int) -> Request:
    """What is there is copied."""
    rows = [{"id": f"b{number}"} for first in LONG for number in range(first, first + 1000)]
    return _file("PUT", "items", rows, mode="ids", force=True)


def kept_giants(_: random.Random, __: int) -> Request:
    """So few rows, and so much to copy."""
    rows = [{"id": f"g{number * 10_000}"} for number in range(MAXMEMORY >> 20)]
    return _file("PUT", "items", rows, mode="ids", force=True)


def batches_and_kept_ids(draw: random.Random, first: int) -> Request:
    """What is to be copied only waits as yet."""
    if first % 40_000 == 0:
        return kept_ids(draw, first)
    return put_batch(texts.TEXTS["boilerplate"], draw, first)


# -- changes ----------------------------------------------------------------------------------------------------------


def patches_beside(draw: random.Random, _: int) -> Request:
    """Kept beside long items, a field more each time."""
    first, name = draw.choice(LONG), texts.word(draw, 20)
    patches = [{"id": f"b{number}", "data": {name: draw.randrange(10**9)}} for number in range(first, first + 1000)]
    return _json("PATCH", "/v2/items", {"items": patches}, on_missing="IGNORE")


def patches_that_create(draw: random.Random, first: int) -> Request:
    patches = [{"id": f"p{number}", "name": "a"} for number in range(first, first + 10_000)]
    return _json("PATCH", "/v2/items", {"items": patches}, on_missing="CREATE")


def patches_of_giants(draw: random.Random, _: int) -> Request:
    """Each item is read whole."""
    patches = [{"id": f"g{n * 10_000}", "data": {"a": draw.randrange(10**9)}} for n in range(3 * (MAXMEMORY >> 20))]
    return _json("PATCH", "/v2/items", {"items": patches}, on_missing="IGNORE")


def longer_by_a_letter(draw: random.Random, _: int) -> Request:
    """Too few to be kept beside: each item moves to the next size in which memory is handed out."""
    first = draw.choice(SHORTER) + draw.randrange(0, 1000, 25)
    patches = [{"id": f"{number:08}", "data": {"a": draw.randrange(10**9)}} for number in range(first, first + 25)]
    return _json("PATCH", "/v2/items", {"items": patches}, on_missing="IGNORE")


def deletes_that_warn(_: random.Random, first: int) -> Request:
    """Each names one long id again and again, and is warned of it."""
    entries = [{"id": f"{first:0250}"}] * 10_000
    return _json("DELETE", "/v2/items", {"items": entries})


def deletes_of_nothing(draw: random.Random, first: int) -> Request:
    """Each leaves its outcomes and no more."""
    return _json("DELETE", "/v2/items", {"items": [{"id": f"{n}"} for n in range(first, first + 10_000)]})


# -- all --------------------------------------------------------------------------------------------------------------


def export(*_: Any) -> Request:
    return _json("POST", "/v1/tasks", {"type": "catalog_export", "catalog_part": "items"})


def any_of(*makes: Make) -> Make:
    def make(draw: random.Random, first: int) -> Request:
        return draw.choice(makes)(draw, first)

    return make


def put(name: str) -> Make:
    return partial(put_batch, texts.TEXTS[name])


#: A store is filled with what compresses well, or is short, up to some share.
BOILERPLATE, TINY = texts.TEXTS["boilerplate"], texts.TEXTS["tiny"]
LONG_IDS = Text(texts.random_id, 5_000)
ONE_EACH = Text(texts.only_variation, 10_000, "variations")

MIXED: list[Callable[..., Request]] = [
    items_with_variations, nested_groups, delta_file, patches_beside, patches_that_create, deletes_that_warn, export,
    *map(put, ("boilerplate", "tiny", "variations", "item groups", "giant")),
]  # fmt: skip

WRITES = {
    "V1 items with variations": Write(items_with_variations),
    "V1 items one by one": Write(one_item),
    "V1 nested item groups": Write(nested_groups),
    "delta files": Write(delta_file),
    # They replace one another, or what was there: little is there in the end.
    "sync files": Write(sync_file, filled=0),
    "a sync that leaves out long ids": Write(sync_of_one, [LONG_IDS], 0.7),
    "a sync that touches all items": Write(sync_of_one_variation, [ONE_EACH, TINY], 0.7, filled=0),
    "kept ids": Write(kept_ids, [BOILERPLATE], 0.3, filled=0),
    "kept giants": Write(kept_giants, [texts.TEXTS["giant"]], 0.3, filled=0),
    "kept ids of what waits": Write(batches_and_kept_ids, filled=0),
    # What is kept beside is there already, most of the time, and only gets longer.
    "patches beside": Write(patches_beside, [BOILERPLATE], 0.3, filled=0.4),
    "patches of giants": Write(patches_of_giants, [texts.TEXTS["giant"]], 0.6, filled=0),
    "patches that create": Write(patches_that_create),
    "patches that make longer": Write(longer_by_a_letter, [texts.TEXTS["rounded up"]], 0.6),
    "deletes that warn": Write(deletes_that_warn),
    "deletes of nothing": Write(deletes_of_nothing),
    "exports of giants": Write(any_of(export, put("giant")), [texts.TEXTS["giant"]], 0.5),
    "all of them": Write(any_of(*MIXED)),
}
