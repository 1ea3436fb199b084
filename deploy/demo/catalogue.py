"""The catalogue of the demo: the batches to send, and a simple model of the expected result."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Entry = dict[str, Any]

SEED = 20_240_229
ITEMS = 20_000
#: Entries of a batch; the service takes up to 10,000.
BATCH = 1_000
#: Every second item has a variation.
VARIATION_EVERY = 2
#: How many items the PATCH round touches, and the DELETE round.
PATCHED, DELETED = 10_000, 2_000

COLOURS = ("black", "blue", "cream", "green", "red", "silver", "yellow")
BRANDS = ("Arbor", "Brook", "Cairn", "Dune", "Ember")
THINGS = ("boot", "coat", "dress", "jacket", "scarf", "shirt", "shoe")
TAGS = ("new", "organic", "sale", "summer", "winter")


@dataclass(frozen=True, slots=True)
class DemoBatch:
    """The body of one write."""

    #: PUT, PATCH or DELETE.
    method: str
    #: items or variations.
    kind: str
    entries: list[Entry]


def generate(seed: int = SEED) -> Iterator[DemoBatch]:
    """Generate the batches, the same for the same seed: everything put, half of it patched, a tenth deleted."""
    chance = random.Random(seed)
    ids = [f"demo-{number:05}" for number in range(ITEMS)]
    yield from _batches("PUT", "items", (_item(chance, item_id) for item_id in ids))
    variations = [(f"{item_id}-v", item_id) for item_id in ids[::VARIATION_EVERY]]
    yield from _batches("PUT", "variations", (_variation(chance, *pair) for pair in variations))
    yield from _batches("PATCH", "items", (_patch(chance, item_id) for item_id in chance.sample(ids, PATCHED)))
    yield from _batches("DELETE", "items", ({"id": item_id} for item_id in chance.sample(ids, DELETED)))
    gone = chance.sample(variations, BATCH)
    yield from _batches("DELETE", "variations", ({"id": variation_id} for variation_id, _ in gone))


def _item(chance: random.Random, item_id: str) -> Entry:
    colour, brand, thing = chance.choice(COLOURS), chance.choice(BRANDS), chance.choice(THINGS)
    return {
        "id": item_id,
        "name": f"{brand} {thing} {colour}",
        "suggested_score": chance.randrange(1_000_000),
        "data": {
            "url": f"https://shop.example/p/{item_id}",
            "description": f"A {colour} {thing} by {brand}.",
            "group_ids": [thing],
            "facets": {"Colour": [colour], "Brand": [brand], "Price": [chance.randrange(500, 30_000) / 100]},
            "tags": chance.sample(TAGS, 2),
            "stock": chance.randrange(1, 500),
        },
    }


def _variation(chance: random.Random, variation_id: str, item_id: str) -> Entry:
    colour = chance.choice(COLOURS)
    return {"id": variation_id, "item_id": item_id, "name": f"In {colour}", "data": {"facets": {"Colour": [colour]}}}


def _patch(chance: random.Random, item_id: str) -> Entry:
    data: Entry = {"stock": chance.randrange(1, 500), "tags:add": ["patched", chance.choice(TAGS)]}
    # Not every patch the same: some take a tag away, some a whole field.
    if chance.random() < 0.3:
        data["tags:remove"] = [chance.choice([tag for tag in TAGS if tag not in data["tags:add"]])]
    if chance.random() < 0.1:
        data["description"] = None
    return {"id": item_id, "suggested_score": chance.randrange(1_000_000), "data": data}


def _batches(method: str, kind: str, entries: Iterable[Entry]) -> Iterator[DemoBatch]:
    waiting = list(entries)
    for start in range(0, len(waiting), BATCH):
        yield DemoBatch(method, kind, waiting[start : start + BATCH])


@dataclass
class Model:
    """A simple model of the contract: the expected catalogue after the batches."""

    items: dict[str, Entry] = field(default_factory=dict)
    variations: dict[str, Entry] = field(default_factory=dict)

    def apply(self, batch: DemoBatch) -> None:
        """Do what the service is asked to do."""
        stored = self.items if batch.kind == "items" else self.variations
        for entry in batch.entries:
            if batch.method == "PUT":
                stored[entry["id"]] = {"data": {}, **entry}
            elif batch.method == "PATCH":
                stored[entry["id"]] = _merged(stored[entry["id"]], entry)
            else:
                stored.pop(entry["id"], None)
        if batch.kind == "items" and batch.method == "DELETE":
            gone = {entry["id"] for entry in batch.entries}
            self.variations = {id_: each for id_, each in self.variations.items() if each.get("item_id") not in gone}


def _merged(old: Entry, patch: Entry) -> Entry:
    new = {**old, **patch, "data": dict(old.get("data", {}))}
    # As sent: first what replaces, then what edits a list.
    edits = []
    for key, value in patch.get("data", {}).items():
        if key.endswith((":add", ":remove")):
            edits.append((*key.rsplit(":", 1), value))
        else:
            new["data"][key] = value
    for key, edit, values in edits:
        kept = [value for value in new["data"].get(key, []) if edit == "add" or value not in values]
        new["data"][key] = kept + [value for value in dict.fromkeys(values) if edit == "add" and value not in kept]
    new["data"] = {key: value for key, value in new["data"].items() if value is not None}
    return {key: value for key, value in new.items() if value is not None}
