"""Faults of sink workers under writes: killed, paused past their lease, woken up late."""

from __future__ import annotations

import os
import random

from shared.waiting import wait_until
from tests.support.sink_process import SinkProcess
from tests.support.sinks import NAME, DeliveryRig

#: Writes of one run; `make test-typesense` makes more.
ROUNDS = int(os.environ.get("SINK_ROUNDS", "12"))


def run_with_faults(sink: DeliveryRig, store_url: str, *, seed: int) -> None:
    """Write at random while three workers deliver and things happen to them; then let one catch up, and compare.

    A lease is taken from whoever is killed or paused at once, instead of in half a minute.
    """
    chance, rig = random.Random(seed), sink.rig
    workers = [SinkProcess(store_url, str(number)) for number in range(3)]
    paused = set[int]()
    try:
        for number in range(ROUNDS):
            ids = sorted({f"i{chance.randrange(30):02d}" for _ in range(chance.choice([1, 5, 20]))})
            if chance.random() < 0.35:
                rig.delete(*({"id": one} for one in ids))
            else:
                rig.put(*({"id": one, "name": f"Version {number}"} for one in ids))
            rig.drain()
            which = chance.randrange(3)
            match chance.choice(["kill", "pause", "wake", "nothing", "resync"]):
                case "kill":
                    workers[which].kill()
                    paused.discard(which)
                    workers[which] = SinkProcess(store_url, f"{which}-{number}")
                case "pause":
                    workers[which].pause()
                    paused.add(which)
                case "wake" if paused:
                    workers[woken := min(paused)].wake()
                    paused.remove(woken)
                case "resync" if chance.random() < 0.3:
                    sink.sinks.resync(NAME.name)
                case _:
                    continue
            rig.client.delete(rig.keys().sink_lease(NAME.name))
            rig.client.hdel(rig.keys().sink_state(NAME.name), "not_before_ms")
        for one in paused:
            workers[one].wake()
    finally:
        for worker in workers:
            worker.kill()
    rig.client.delete(rig.keys().sink_lease(NAME.name))

    def delivered() -> bool:
        rig.client.hdel(rig.keys().sink_state(NAME.name), "not_before_ms")
        return sink.turn() == "delivered"

    # What a killed worker had sent may still arrive.
    wait_until(delivered, "one worker delivers", timeout_s=60)
    sink.settle()
    sink.check()
    assert sum(found.wrong for found in sink.verify()) == 0
