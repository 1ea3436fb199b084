"""Partitions of a cluster whose servers are hosts of their own: some do not see others, and clients still see both."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable, Mapping, Sequence

from tests.chaos.faults import Fault
from tests.chaos.links import Heal
from tests.chaos.places.cluster_faults import REPLACED_S, Strike, when_whole
from tests.chaos.stage import Stage
from tests.support.cluster import Cluster
from tests.support.cluster_node import Node
from tests.support.hosts import Host


def partition_faults(cluster: Cluster, away: Mapping[str, Host]) -> list[Fault]:
    """List what may happen to the network; ``away`` are those of the fleet that have a host, by name."""
    whole = functools.partial(when_whole, cluster)
    faults = [
        whole("a master cut off from all others, clients reach it", _isolate, REPLACED_S),
        whole("a master with another's replica cut off from the rest, clients reach both", _split, REPLACED_S),
        whole(f"a master with {' and '.join(away)} cut off from the rest", _side(away.values()), REPLACED_S),
        whole("a replica cut off from its master", _part, (0.5, 5)),
        whole("a master cut off from everybody", _unplug, REPLACED_S),
    ]
    for name, host in away.items():
        faults += [
            Fault(f"{name}: cut off from one server", functools.partial(_blind, cluster, host), (0.5, 8), seizes=name),
            Fault(f"{name}: cut off from all", functools.partial(_leave, host), (0.5, 8), seizes=name),
        ]
    return faults


def _isolate(cluster: Cluster, draw: random.Random) -> Heal:
    """Let it take what it may still take: nothing that was answered may be on it alone."""
    master = draw.choice(cluster.masters())
    return _cut([_host(master)], _others(cluster, [master]))


def _split(cluster: Cluster, draw: random.Random) -> Heal:
    one, other = draw.sample(cluster.masters(), 2)
    few = [one, cluster.replica_of(other)]
    return _cut([_host(node) for node in few], _others(cluster, few))


def _side(away: Iterable[Host]) -> Strike:
    """Have a master keep some of its clients, which see no other server."""

    def split(cluster: Cluster, draw: random.Random) -> Heal:
        master = draw.choice(cluster.masters())
        return _cut([_host(master), *away], _others(cluster, [master]))

    return split


def _part(cluster: Cluster, draw: random.Random) -> Heal:
    master = draw.choice(cluster.masters())
    return _cut([_host(master)], [_host(cluster.replica_of(master))])


def _unplug(cluster: Cluster, draw: random.Random) -> Heal:
    host = _host(draw.choice(cluster.masters()))
    host.unplug()
    return host.plug_in


def _blind(cluster: Cluster, host: Host, stage: Stage) -> Heal:
    server = _host(stage.random.choice(cluster.nodes))
    host.lose_sight_of(server)
    return functools.partial(host.find_again, server)


def _leave(host: Host, stage: Stage) -> Heal:
    host.unplug()
    return host.plug_in


def _others(cluster: Cluster, nodes: Sequence[Node]) -> list[Host]:
    return [_host(node) for node in cluster.nodes if node not in nodes]


def _cut(here: Iterable[Host], there: Sequence[Host]) -> Heal:
    """Let nothing through between two sides, in both directions."""
    pairs = [(one, other) for one in here for other in there]
    for one, other in pairs:
        one.lose_sight_of(other)
        other.lose_sight_of(one)

    def heal() -> None:
        for one, other in pairs:
            one.find_again(other)
            other.find_again(one)

    return heal


def _host(node: Node) -> Host:
    assert node.host
    return node.host
