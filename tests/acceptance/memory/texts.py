"""Texts that mislead an estimate of the memory that they become."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Any, NamedTuple

Entry = dict[str, Any]
#: Makes the entry of a number, from a source of randomness.
Make = Callable[[random.Random, int], Entry]


def word(draw: random.Random, length: int) -> str:
    return "".join(draw.choices(string.ascii_lowercase, k=length))


def boilerplate(_: random.Random, number: int) -> Entry:
    """Compresses to a hundredth."""
    return {"id": f"b{number}", "name": "Chair", "data": {"description": "Free returns within thirty days. " * 120}}


def tiny(_: random.Random, number: int) -> Entry:
    """Index and overhead take several times its text."""
    return {"id": f"t{number}", "name": "a"}


def long_id(_: random.Random, number: int) -> Entry:
    """Its id is stored three times."""
    return {"id": f"{number:0250}", "name": "a"}


def random_id(draw: random.Random, number: int) -> Entry:
    """A long id that does not compress."""
    return {"id": f"{word(draw, 230)}{number}", "name": "a"}


def attributes(draw: random.Random, number: int) -> Entry:
    return {"id": f"a{number}", "name": "Chair", "data": {f"attribute_{n}": draw.randrange(10**4) for n in range(40)}}


def unique(draw: random.Random, number: int) -> Entry:
    """Hardly compresses: the payload takes as much as what it becomes."""
    return {"id": f"u{number}", "name": word(draw, 20), "data": {"text": word(draw, draw.randrange(200, 2000))}}


def rounded_up(_: random.Random, number: int) -> Entry:
    """Each value is just too long for a size in which memory is handed out."""
    return {"id": f"{number:08}", "name": "a", "data": {"text": "x" * 978}}


def giant(_: random.Random, number: int) -> Entry:
    return {"id": f"g{number}", "name": "a", "data": {"text": "giant" * 39_000}}


def variation(_: random.Random, number: int) -> Entry:
    """A variation has a link besides."""
    return {"id": f"v{number}", "item_id": f"t{number // 4}"}


def only_variation(_: random.Random, number: int) -> Entry:
    """Each is of another item, all of which are touched with it."""
    return {"id": f"v{number}", "item_id": f"t{number}"}


def group(draw: random.Random, number: int) -> Entry:
    return {"id": f"c{number}", "name": word(draw, 12), "parent_ids": [], "data": {"a": 1}}


class Text(NamedTuple):
    """A kind of text."""

    make: Make
    #: How many entries are in a batch.
    size: int
    kind: str = "items"


TEXTS = {
    "boilerplate": Text(boilerplate, 1000),
    "tiny": Text(tiny, 10_000),
    "long ids": Text(long_id, 5_000),
    "40 attributes": Text(attributes, 1000),
    "unique": Text(unique, 500),
    "rounded up": Text(rounded_up, 1000),
    "giant": Text(giant, 1),
    "variations": Text(variation, 10_000, "variations"),
    "item groups": Text(group, 1000, "item_groups"),
}
