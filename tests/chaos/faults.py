"""The faults: each does one thing to the stage, and says how it is undone if it lasts."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from redis.exceptions import RedisError

from shared.doorbell import QUEUE
from tests.chaos.links import Heal
from tests.chaos.stage import LEASE_TTL_S, CannotBe, Stage
from tests.support.fleet import Member


@dataclass(frozen=True)
class Fault:
    """One kind of fault."""

    name: str
    #: Does it; None if it is over at once.
    inflict: Callable[[Stage], Heal | None]
    #: Seconds it lasts, at least and at most.
    lasts_s: tuple[float, float] = (0.0, 0.0)
    #: What it takes hold of: one fault at a time.
    seizes: str = ""


FAULTS: list[Fault] = []


def fault(
    name: str, *, lasts_s: tuple[float, float] = (0.0, 0.0), seizes: str = ""
) -> Callable[[Callable[[Stage], Heal | None]], Callable[[Stage], Heal | None]]:
    """Declare a kind of fault."""

    def declare(inflict: Callable[[Stage], Heal | None]) -> Callable[[Stage], Heal | None]:
        FAULTS.append(Fault(name, inflict, lasts_s, seizes))
        return inflict

    return declare


def _kill_children(stage: Stage, member: Member) -> None:
    if children := member.children():
        with contextlib.suppress(ProcessLookupError):
            os.kill(stage.random.choice(children), signal.SIGKILL)


def pause(member: Member) -> Heal:
    """Stop a process and all it has started; the group is remembered, should the leader die meanwhile."""
    group = member.pid
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGSTOP)
    return functools.partial(_resume, group)


def _resume(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGCONT)


# -- processes --------------------------------------------------------------------------------------------------------


@fault("worker: kill -9 of the parent")
def kill_worker(stage: Stage) -> None:
    stage.worker().signal(signal.SIGKILL)


@fault("worker: kill -9 of parent and children")
def kill_worker_family(stage: Stage) -> None:
    stage.worker().signal(signal.SIGKILL, group=True)


@fault("worker: kill -9 of a pool child")
def kill_pool_child(stage: Stage) -> None:
    _kill_children(stage, stage.worker())


@fault("worker: warm stop")
def stop_worker(stage: Stage) -> None:
    stage.worker().signal(signal.SIGTERM)


@fault("worker: stopped past its lease, children too", lasts_s=(LEASE_TTL_S + 0.5, LEASE_TTL_S + 2), seizes="worker")
def pause_worker(stage: Stage) -> Heal:
    return pause(stage.worker())


@fault("worker: a pool child stopped past its lease", lasts_s=(LEASE_TTL_S + 0.5, LEASE_TTL_S + 2), seizes="worker")
def pause_pool_child(stage: Stage) -> Heal | None:
    children = stage.worker().children()
    if not children:
        return None
    child = stage.random.choice(children)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGSTOP)

    def resume() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGCONT)

    return resume


@fault("worker: clock jumps forward or back", lasts_s=(2, 6), seizes="clock")
def jump_clock(stage: Stage) -> Heal:
    stage.clock_file.write_text(str(stage.random.choice([-1, 1]) * stage.random.randrange(1_000, 10_000_000)))
    return functools.partial(stage.clock_file.write_text, "0")


@fault("ingress: kill -9 of the parent")
def kill_ingress(stage: Stage) -> None:
    stage.ingress().signal(signal.SIGKILL, group=True)


@fault("ingress: kill -9 of a child")
def kill_ingress_child(stage: Stage) -> None:
    _kill_children(stage, stage.ingress())


@fault("ingress: stopped", lasts_s=(0.5, 3), seizes="ingress")
def pause_ingress(stage: Stage) -> Heal:
    return pause(stage.ingress())


# -- the store --------------------------------------------------------------------------------------------------------


@fault("store: kill -9, back from its log", seizes="store")
def kill_store(stage: Stage) -> None:
    stage.fleet.store.signal(signal.SIGKILL)


@fault("store: power cut, what was not written out is lost", seizes="store")
def cut_power(stage: Stage) -> None:
    stage.cut_power()


@fault("store: stopped", lasts_s=(0.3, 4), seizes="store")
def pause_store(stage: Stage) -> Heal:
    return pause(stage.fleet.store)


@fault("store: out of memory", lasts_s=(1, 4), seizes="store")
def fill_memory(stage: Stage) -> Heal:
    client = stage.store()
    room = client.config_get("maxmemory")["maxmemory"]
    client.config_set("maxmemory", 1)

    def make_room() -> None:
        # A store that was started again meanwhile has all its room.
        with contextlib.suppress(RedisError):
            stage.store().config_set("maxmemory", room)

    return make_room


@fault("store: disk full", lasts_s=(1, 3), seizes="store")
def fill_disk(stage: Stage) -> Heal:
    stage.fleet.limit_log(stage.random.randrange(0, 5_000))
    return stage.mend_disk


@fault("store: slow fsync", lasts_s=(1, 5), seizes="disk")
def slow_fsync(stage: Stage) -> Heal:
    if stage.slow_disk_file is None:
        raise CannotBe("there is no C compiler")
    stage.slow_disk_file.write_text(str(stage.random.randrange(5, 100)))
    return functools.partial(stage.slow_disk_file.write_text, "0")


@fault("store: log rewritten")
def rewrite_log(stage: Stage) -> None:
    with contextlib.suppress(RedisError):
        stage.store().bgrewriteaof()


@fault("store: scripts forgotten")
def forget_scripts(stage: Stage) -> None:
    stage.store().script_flush()


# -- wake-ups ---------------------------------------------------------------------------------------------------------


@fault("broker: all wake-ups lost")
def lose_wake_ups(stage: Stage) -> None:
    stage.broker().delete(QUEUE)


@fault("broker: everything lost")
def flush_broker(stage: Stage) -> None:
    stage.broker().flushdb()


@fault("broker: wake-ups doubled", lasts_s=(0.5, 2), seizes="broker")
def double_wake_ups(stage: Stage) -> Heal:
    """What is there now once more now, and once more later, at the wrong end."""
    broker = stage.broker()
    there = broker.lrange(QUEUE, 0, -1)
    for job in there:
        broker.rpush(QUEUE, job)

    def again() -> None:
        with contextlib.suppress(RedisError):
            for job in there:
                broker.lpush(QUEUE, job)

    return again


# -- connections ------------------------------------------------------------------------------------------------------


@fault("link: cut before a script ran")
def cut_requests(stage: Stage) -> None:
    stage.link().cut_requests(stage.random.randrange(1, 4))


@fault("link: cut after a script ran, reply lost")
def lose_replies(stage: Stage) -> None:
    stage.link().lose_replies(stage.random.randrange(1, 4))


@fault("link: all connections broken")
def reset_link(stage: Stage) -> None:
    stage.link().reset()


@fault("link: slow", lasts_s=(1, 4), seizes="link")
def slow_link(stage: Stage) -> Heal:
    link = stage.link()
    link.slow_down(stage.random.uniform(0.02, 0.3))
    return link.heal


@fault("link: half open", lasts_s=(1, 8), seizes="link")
def darken_link(stage: Stage) -> Heal:
    link = stage.link()
    link.darken()
    return link.heal
