"""What was accepted can be applied within the memory of each server of a cluster; `make memory` runs it.

Several catalogs share one server, or lie on all of them.  What one has reserved, no script of another sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.acceptance.customer import Customer
from tests.acceptance.memory.texts import TEXTS
from tests.acceptance.memory.trial import FILLED, MAXMEMORY, SERVER, SETTINGS, TOKEN, Make, Trial, put_batch
from tests.acceptance.memory.writes import MIXED, any_of
from tests.support.cluster import SHARDS, SLOTS, Cluster, running_cluster, slot_of
from tests.support.fleet import running_fleet

#: By the server on which they are, three each.
CATALOGS = [
    [key for key in map("shop-{:03}".format, range(100)) if slot_of(key) * SHARDS // SLOTS == shard][:3]
    for shard in range(SHARDS)
]
PLACES = {"one server": CATALOGS[1], "all servers": [key for shard in CATALOGS for key in shard]}
TRIALS: dict[str, Make] = {
    "boilerplate": lambda draw, first: put_batch(TEXTS["boilerplate"], draw, first),
    "tiny": lambda draw, first: put_batch(TEXTS["tiny"], draw, first),
    "all of them": any_of(*MIXED),
}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with running_cluster(replicas=0, maxmemory=MAXMEMORY, server=SERVER) as running:
        yield running


@pytest.fixture
def open_trial(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[[Sequence[str]], Trial]]:
    every = [key for shard in CATALOGS for key in shard]
    with running_fleet(
        tmp_path, credentials=",".join(f"{key}:{TOKEN}" for key in every), redis_url=cluster.url,
        exports_url=f"file://{tmp_path}/exports", **SETTINGS,
    ) as fleet:  # fmt: skip
        servers = [node.client for node in cluster.masters()]
        yield lambda keys: Trial(fleet, servers, [Customer(fleet.urls[0], key, TOKEN) for key in keys])


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", TRIALS)
@pytest.mark.parametrize("place", PLACES)
def test_a_filled_cluster_applies_what_it_accepted(
    place: str, name: str, open_trial: Callable[[Sequence[str]], Trial], measured: Callable[[str], None]
) -> None:
    """On no server above its memory, and nothing is refused before the fullest one is well filled."""
    trial = open_trial(PLACES[place])
    trial.while_stopped(TRIALS[name])
    measured(trial.summary(f"catalogs on {place}, {name}"))
    trial.check()
    assert trial.most >= FILLED
