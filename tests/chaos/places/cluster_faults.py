"""The faults of a cluster: its servers die, hang, are replaced and change places, and its slots move."""

from __future__ import annotations

import functools
import random
import signal
import threading
from collections.abc import Callable, Sequence

import redis

from tests.chaos.faults import Fault, pause
from tests.chaos.links import Heal
from tests.chaos.places.single_faults import fill_memory, forget_scripts, rewrite_log
from tests.chaos.stage import NotNow, Stage
from tests.support.cluster import SHARED_SLOT, Cluster, SlotJourney
from tests.support.cluster_node import Node

#: Seconds between the deaths of two masters, at most: one may be replaced before the other dies, or not.
APART_S = 5.0
#: Seconds in which a server is replaced, at least and at most.
REPLACED_S = (4.0, 8.0)
#: Seconds that it takes to hand a slot over, about, and at most, on a busy machine.
HANDED_OVER_S = (0.1, 2.0)
#: Seconds for which a slot is half here, half there.
HALF_WAY_S = (0.5, 4.0)

#: Does something to a cluster.
Strike = Callable[[Cluster, random.Random], Heal | None]


def when_whole(cluster: Cluster, name: str, strike: Strike, lasts_s: tuple[float, float] = (0, 0)) -> Fault:
    """Make a fault that takes one of the two servers of a shard: both had to be there."""

    def inflict(stage: Stage) -> Heal | None:
        if not cluster.is_whole():
            raise NotNow("the cluster is not whole yet")
        return strike(cluster, stage.random)

    return Fault(f"cluster: {name}", inflict, lasts_s, seizes="server")


def cluster_faults(cluster: Cluster, slots: Sequence[int]) -> list[Fault]:
    """List what may happen to a cluster; ``slots`` are those of catalogs."""
    whole = functools.partial(when_whole, cluster)

    def any_slot(move: Callable[[Cluster, int, random.Random], Heal | None]) -> Strike:
        return lambda cluster, draw: move(cluster, draw.choice(slots), draw)

    def shared_slot(move: Callable[[Cluster, int, random.Random], Heal | None]) -> Strike:
        return lambda cluster, draw: move(cluster, SHARED_SLOT, draw)

    def on_any(name: str, strike: Callable[[redis.Redis], Heal | None], *lasts_s: float) -> Fault:
        low, high = lasts_s or (0, 0)
        return Fault(
            f"cluster: {name}", lambda stage: strike(_any_master(cluster, stage.random).client), (low, high),
            seizes="memory" if lasts_s else "",
        )  # fmt: skip

    return [
        whole("a master killed, replaced, back as a replica", _kill_master, REPLACED_S),
        whole("a master killed and back at once", _kill_master, (0.1, 0.8)),
        whole("masters of two shards killed, one after the other", _kill_two, (APART_S + 1, APART_S + 4)),
        whole("a master stopped until it is replaced, then woken up", _stop_master, REPLACED_S),
        whole("a master stopped for a moment", _stop_master, (0.2, 1)),
        whole("a replica killed", _kill_replica, (0.5, 4)),
        whole("a replica stopped, replication waits", _stop_replica, (0.5, 4)),
        whole("a replica takes over in order", _take_over),
        whole("the slot of a catalog handed over at once", any_slot(_hand_over), HANDED_OVER_S),
        whole("the shared slot handed over at once", shared_slot(_hand_over), HANDED_OVER_S),
        whole("a master killed while it hands a slot over", any_slot(_hand_over_and_die), REPLACED_S),
        whole("the slot of a catalog carried over, half-way for a while", any_slot(_carry_over), HALF_WAY_S),
        whole("the shared slot carried over, half-way for a while", shared_slot(_carry_over), HALF_WAY_S),
        on_any("a master out of memory", fill_memory, 1, 4),
        on_any("the log of a master rewritten", rewrite_log),
        on_any("the scripts of a master forgotten", forget_scripts),
        on_any("all connections to a master broken", lambda client: _disconnect(client, "normal")),
        on_any("replication broken", lambda client: _disconnect(client, "replica")),
        Fault("broker: kill -9", lambda stage: stage.fleet.store.signal(signal.SIGKILL), seizes="broker server"),
        Fault("broker: stopped", lambda stage: pause(stage.fleet.store), (0.3, 4), seizes="broker server"),
    ]


def _any_master(cluster: Cluster, draw: random.Random) -> Node:
    return draw.choice(cluster.masters())


# -- servers ----------------------------------------------------------------------------------------------------------


def _kill(node: Node) -> Heal:
    node.kill()
    return node.start


def _kill_later(node: Node, delay_s: float) -> Heal:
    later = threading.Timer(delay_s, node.kill)
    later.start()

    def heal() -> None:
        later.join()
        node.start()

    return heal


def _stop(node: Node) -> Heal:
    node.kill(signal.SIGSTOP)
    return functools.partial(node.kill, signal.SIGCONT)


def _kill_master(cluster: Cluster, draw: random.Random) -> Heal:
    return _kill(_any_master(cluster, draw))


def _stop_master(cluster: Cluster, draw: random.Random) -> Heal:
    return _stop(_any_master(cluster, draw))


def _kill_replica(cluster: Cluster, draw: random.Random) -> Heal:
    return _kill(cluster.replica_of(_any_master(cluster, draw)))


def _stop_replica(cluster: Cluster, draw: random.Random) -> Heal:
    return _stop(cluster.replica_of(_any_master(cluster, draw)))


def _kill_two(cluster: Cluster, draw: random.Random) -> Heal:
    """Kill two masters; as long as both are away, the third alone can have neither replaced."""
    first, second = draw.sample(cluster.masters(), 2)
    back, second_back = _kill(first), _kill_later(second, draw.uniform(0, APART_S))

    def heal() -> None:
        back()
        second_back()

    return heal


def _take_over(cluster: Cluster, draw: random.Random) -> None:
    """Do what operators do before they restart a master."""
    cluster.replica_of(_any_master(cluster, draw)).cluster("FAILOVER")


def _disconnect(client: redis.Redis, kind: str) -> None:
    """Break connections; who waits for a replica just then does not learn that its script ran."""
    client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")


# -- slots ------------------------------------------------------------------------------------------------------------


def _hand_over(cluster: Cluster, slot: int, draw: random.Random) -> Heal:
    """Until a replica has what has moved to its master, nothing is promised should that one die."""
    to = _other_master(cluster, slot, draw)
    cluster.begin_to_hand_over(slot, to)
    return to.wait_passed_on


def _hand_over_and_die(cluster: Cluster, slot: int, draw: random.Random) -> Heal:
    """Kill a master while it hands a slot over: the other has all of it, or none."""
    source = cluster.master_of(slot)
    cluster.begin_to_hand_over(slot, _other_master(cluster, slot, draw))
    return _kill_later(source, draw.uniform(0, HANDED_OVER_S[0]))


def _carry_over(cluster: Cluster, slot: int, draw: random.Random) -> Heal:
    """Move some of its keys; calls that need those and others are turned away until the rest has followed."""
    to = _other_master(cluster, slot, draw)
    journey = SlotJourney(slot, cluster.master_of(slot), to)
    for _ in range(draw.randrange(5)):
        journey.carry(draw.randrange(1, SlotJourney.AT_ONCE))

    def arrive() -> None:
        journey.end()
        to.wait_passed_on()

    return arrive


def _other_master(cluster: Cluster, slot: int, draw: random.Random) -> Node:
    source = cluster.master_of(slot)
    return draw.choice([node for node in cluster.masters() if node is not source])
