"""Open the place of a run, with the faults that belong to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tests.chaos.faults import Fault
from tests.chaos.places.cluster import AWAY, SERVERS, ClusterStore
from tests.chaos.places.cluster_faults import cluster_faults
from tests.chaos.places.partitions import partition_faults
from tests.chaos.places.place import Place
from tests.chaos.places.single import SingleStore
from tests.chaos.places.single_faults import single_faults
from tests.support.cluster import slot_of
from tests.support.hosts import Host, NotAllowed, plugged_in

Opened = tuple[Place, list[Fault]]


def open_place(
    folder: Path, catalog_keys: Sequence[str], *, cluster: bool, durability: str, sinks: bool
) -> AbstractContextManager[Opened]:
    """Open a cluster, which keeps what it answers, or one store of a durability."""
    return open_cluster(folder, catalog_keys) if cluster else open_single(folder, durability=durability, sinks=sinks)


@contextlib.contextmanager
def open_single(folder: Path, *, durability: str, sinks: bool) -> Iterator[Opened]:
    """Have one store, and what may happen to it."""
    place = SingleStore(folder, durability=durability, sinks=sinks)
    try:
        yield place, single_faults(place)
    finally:
        place.end()


@contextlib.contextmanager
def open_cluster(folder: Path, catalog_keys: Sequence[str]) -> Iterator[Opened]:
    """Have a cluster, and what may happen to it; partitions only where this machine lets us have hosts."""
    with contextlib.ExitStack() as stack:
        hosts: list[Host] = []
        with contextlib.suppress(NotAllowed):
            switch = stack.enter_context(plugged_in(folder))
            hosts = [switch.host(name) for name in (*map(str, range(SERVERS)), *AWAY)]
        place = ClusterStore(folder / "cluster", hosts)
        stack.callback(place.end)
        place.cluster.start()
        faults = cluster_faults(place.cluster, [slot_of(key) for key in catalog_keys])
        yield place, faults + (partition_faults(place.cluster, place.away) if hosts else [])
