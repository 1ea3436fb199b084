"""The faults: each does one thing to the stage, and says how it is undone if it lasts; here those of processes."""

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
from tests.chaos.stage import LEASE_TTL_S, Stage
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


#: What may happen wherever the catalogs lie.
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
