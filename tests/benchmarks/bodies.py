"""The bodies that are sent: seeded, so that every system and every run gets the same bytes.

A body is a block: so many items with ids of their own.  The texts of a few blocks are made word by word; all others are
copies of them with other ids, which takes a fraction of a millisecond.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.benchmarks.vocabulary import (
    ADJECTIVES,
    BRANDS,
    COLOURS,
    CUMULATIVE_WEIGHTS,
    MATERIALS,
    NOUNS,
    SIZES,
    WORDS,
)

SEED = 7
#: Texts that are made word by word; block n has the text of template n modulo this.
TEMPLATES = 4
#: Stands for the number of the block until the body is asked for.
_BLOCK = "@@@@@"

METHODS = ("PUT", "PATCH", "DELETE")


def body(method: str, block: int, *, entries: int = 1000, version: int = 0) -> bytes:
    """Make a body: PUT items, PATCH two fields of them, or DELETE them.  Versions differ in every entry's values."""
    templates = _templates(method, entries)
    return templates[(block + version) % TEMPLATES].replace(_BLOCK.encode(), b"%05d" % block)


def item_id(block: int, number: int) -> str:
    """Name an item of a block."""
    return f"sku-{block:05d}-{number:05d}"


@dataclass(frozen=True, slots=True)
class Size:
    """How big bodies are."""

    entries: int
    #: Of an entry of a PUT, on average, without the comma.
    entry_bytes: float


def size_of(entries: int = 1000) -> Size:
    """Measure the bodies of PUTs."""
    lengths = [len(template) for template in _templates("PUT", entries)]
    return Size(entries, sum(lengths) / len(lengths) / entries)


@cache
def _templates(method: str, entries: int) -> list[bytes]:
    chance = random.Random(f"{SEED} {method} {entries}")
    make = {"PUT": _item, "PATCH": _patch, "DELETE": _name}[method]
    return [
        json.dumps(
            {"items": [make(chance, f"sku-{_BLOCK}-{number:05d}") for number in range(entries)]},
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()
        for _ in range(TEMPLATES)
    ]


def _item(chance: random.Random, id_: str) -> dict[str, Any]:
    colour, material, noun = chance.choice(COLOURS), chance.choice(MATERIALS), chance.choice(NOUNS)
    return {
        "id": id_,
        "name": f"{chance.choice(ADJECTIVES)} {colour} {material} {noun}".capitalize(),
        "suggested_score": chance.randrange(1_000_000),
        "data": {
            "url": f"https://shop.example/p/{noun}-{id_}",
            "image_url": f"https://cdn.example/images/{chance.randrange(16**8):08x}.jpg",
            "description": _text(chance, 33),
            "price": chance.randrange(100, 50_000) / 100,
            "stock": chance.randrange(500),
            "group_ids": [noun, str(chance.randrange(1000, 2000))],
            "facets": {"Brand": [chance.choice(BRANDS)], "Colour": [colour], "Size": chance.sample(SIZES, 2)},
            "active": True,
        },
    }


def _patch(chance: random.Random, id_: str) -> dict[str, Any]:
    price = chance.randrange(100, 50_000) / 100
    return {"id": id_, "suggested_score": chance.randrange(1_000_000), "data": {"price": price}}


def _name(_: random.Random, id_: str) -> dict[str, Any]:
    return {"id": id_}


def _text(chance: random.Random, words: int) -> str:
    drawn = chance.choices(WORDS, cum_weights=CUMULATIVE_WEIGHTS, k=words)
    # A sentence of eight to fourteen words, and the rest.
    end = chance.randrange(8, 15)
    sentences = (" ".join(drawn[:end]), " ".join(drawn[end:]))
    return " ".join(f"{sentence[:1].upper()}{sentence[1:]}." for sentence in sentences)
