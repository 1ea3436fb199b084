"""Open the place of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.faults import Fault
from tests.chaos.places.place import Place
from tests.chaos.places.single import SingleStore
from tests.chaos.places.single_faults import single_faults


@contextlib.contextmanager
def open_single(folder: Path, *, durability: str, sinks: bool) -> Iterator[tuple[Place, list[Fault]]]:
    """Have one store, and what may happen to it."""
    place = SingleStore(folder, durability=durability, sinks=sinks)
    try:
        yield place, single_faults(place)
    finally:
        place.end()
