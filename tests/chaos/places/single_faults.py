"""The faults of one store: its server, its disk, and the links to it."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
from collections.abc import Callable

import redis
from redis.exceptions import RedisError

from deploy.stack import embedded_store
from deploy.stack.store_log import LogKeeper
from shared.waiting import WaitedInVain, wait_until
from tests.chaos.faults import Fault, pause
from tests.chaos.links import Heal, Link
from tests.chaos.places.single import SingleStore
from tests.chaos.stage import CannotBe, Stage

#: Seconds in which a killed store is gone.
GONE_S = 10.0


def single_faults(place: SingleStore) -> list[Fault]:
    """List what may happen to the store of a stage, and on the way to it."""

    def of(inflict: Callable[[SingleStore, Stage], Heal | None]) -> Callable[[Stage], Heal | None]:
        return functools.partial(inflict, place)

    on_link = functools.partial(_on_link, place)
    return [
        Fault("store: kill -9, back from its log", _kill, seizes="store"),
        Fault("store: power cut, what was not written out is lost", of(_cut_power), seizes="store"),
        Fault("store: stopped", lambda stage: pause(stage.fleet.store), (0.3, 4), seizes="store"),
        Fault("store: out of memory", lambda stage: fill_memory(place.connect()), (1, 4), seizes="store"),
        Fault("store: disk full", of(_fill_disk), (1, 3), seizes="store"),
        Fault("store: slow fsync", of(_slow_fsync), (1, 5), seizes="disk"),
        Fault("store: log rewritten", lambda stage: rewrite_log(place.connect())),
        Fault("store: scripts forgotten", lambda stage: forget_scripts(place.connect())),
        on_link("cut before a script ran", lambda link, draw: link.cut_requests(draw.randrange(1, 4))),
        on_link("cut after a script ran, reply lost", lambda link, draw: link.lose_replies(draw.randrange(1, 4))),
        on_link("all connections broken", lambda link, draw: link.reset()),
        on_link("slow", _slow_down, (1, 4)),
        on_link("half open", _darken, (1, 8)),
    ]


# -- the server -------------------------------------------------------------------------------------------------------


def _kill(stage: Stage) -> None:
    stage.fleet.store.signal(signal.SIGKILL)


def _cut_power(place: SingleStore, stage: Stage) -> None:
    """Kill the store, and have its log lose what has not been written out to the disk."""
    store = stage.fleet.store
    store.hold_back(GONE_S)
    try:
        store.signal(signal.SIGKILL)
        wait_until(lambda: not embedded_store.answers(stage.fleet.socket_path), "it is gone", timeout_s=GONE_S)
        if not place.written_out_file.exists():
            raise CannotBe("there is no C compiler")
        name, written_out = place.written_out_file.read_text(encoding="ascii").split()
        logs = (stage.fleet.folder / "store" / "appendonlydir").glob("*.incr.aof")
        log = max(logs, key=lambda log: log.stat().st_mtime)
        # Another has just been begun, with all that was before it on the disk.
        if log.name == name and log.stat().st_size > int(written_out):
            os.truncate(log, int(written_out))
    finally:
        store.hold_back(0)


def fill_memory(server: redis.Redis) -> Heal:
    """Have a server refuse whatever takes more memory."""
    room = server.config_get("maxmemory")["maxmemory"]
    server.config_set("maxmemory", 1)

    def make_room() -> None:
        # A server that was started again meanwhile has all its room.
        with contextlib.suppress(RedisError):
            server.config_set("maxmemory", room)

    return make_room


def rewrite_log(server: redis.Redis) -> None:
    with contextlib.suppress(RedisError):
        server.bgrewriteaof()


def forget_scripts(server: redis.Redis) -> None:
    server.script_flush()


# -- its disk ---------------------------------------------------------------------------------------------------------


def _fill_disk(place: SingleStore, stage: Stage) -> Heal:
    stage.fleet.limit_log(stage.random.randrange(0, 5_000))

    def mend() -> None:
        """Make room, and have the log mended, as `make up` does."""
        keeper = LogKeeper(place.connect())
        keeper.look()
        stage.fleet.limit_log(None)
        with contextlib.suppress(WaitedInVain):
            wait_until(keeper.look, "the log is whole", timeout_s=5)

    return mend


def _slow_fsync(place: SingleStore, stage: Stage) -> Heal:
    if place.slow_disk_file is None:
        raise CannotBe("there is no C compiler")
    place.slow_disk_file.write_text(str(stage.random.randrange(5, 100)))
    return functools.partial(place.slow_disk_file.write_text, "0")


# -- connections ------------------------------------------------------------------------------------------------------


def _on_link(
    place: SingleStore, name: str, inflict: Callable[[Link, random.Random], Heal | None],
    lasts_s: tuple[float, float] | None = None,
) -> Fault:  # fmt: skip
    def on_any(stage: Stage) -> Heal | None:
        return inflict(stage.random.choice(place.links), stage.random)

    return Fault(f"link: {name}", on_any, lasts_s or (0, 0), seizes="link" if lasts_s else "")


def _slow_down(link: Link, draw: random.Random) -> Heal:
    link.slow_down(draw.uniform(0.02, 0.3))
    return link.heal


def _darken(link: Link, draw: random.Random) -> Heal:
    link.darken()
    return link.heal
