"""The faults of sinks: their workers, their destinations, their leases."""

from __future__ import annotations

import signal
from collections.abc import Callable

from shared.sinks.sinks import Sinks
from tests.chaos.faults import Fault, pause
from tests.chaos.faults_of_links import link_faults
from tests.chaos.links import Heal
from tests.chaos.sinks.destinations import PostgresTarget, Target
from tests.chaos.stage import CannotBe, Stage
from tests.support.fleet import Member

#: The lease of a killed worker runs out at once as often as it takes its time.
SHARE_AT_ONCE = 0.7


def sink_faults(stage: Stage) -> list[Fault]:
    """List what may happen to the sinks of a stage; nothing if it has none."""
    if stage.sinks is None:
        return []
    faults = [
        Fault("sink worker: kill -9", _kill),
        Fault("sink worker: warm stop", lambda stage: _any(stage).signal(signal.SIGTERM)),
        Fault("sink worker: stopped past its lease, then woken up", _pause, lasts_s=(1, 6), seizes="sink worker"),
        Fault("sink: copied anew", lambda stage: _change(stage, Sinks.resync)),
        Fault("sink: back to the copy before", lambda stage: _change(stage, _undo)),
    ]
    return faults + [fault for target in stage.sinks.targets for fault in _of(target)]


def _of(target: Target) -> list[Fault]:
    def fault(name: str, inflict: Callable[[], Heal], lasts_s: tuple[float, float]) -> Fault:
        return Fault(f"{target.name}: {name}", lambda stage: inflict(), lasts_s, seizes=target.name)

    faults = [fault("killed", target.kill, (0.5, 3)), *link_faults(target.name, target.link)]
    if isinstance(target, PostgresTarget):
        faults.append(fault("restored from an older backup", target.restore, (2, 8)))
    return faults


def _any(stage: Stage) -> Member:
    return stage.random.choice(stage.fleet.sinks)


def _kill(stage: Stage) -> None:
    _any(stage).signal(signal.SIGKILL, group=True)
    if stage.random.random() < SHARE_AT_ONCE:
        _end_leases(stage)


def _pause(stage: Stage) -> Heal:
    heal = pause(_any(stage))
    _end_leases(stage)
    return heal


def _end_leases(stage: Stage) -> None:
    assert stage.sinks
    stage.sinks.end_leases(stage.store())


def _change(stage: Stage, change: Callable[[Sinks, str], None]) -> None:
    """Do what an operator may do, to any sink."""
    assert stage.sinks
    key = stage.random.choice(stage.sinks.catalog_keys)
    name, _ = stage.random.choice(stage.sinks.names(key))
    change(Sinks(stage.store(), key), name.name)


def _undo(sinks: Sinks, name: str) -> None:
    sink = sinks.get(name)
    if not sink.past:
        raise CannotBe("it was never copied anew")
    sinks.undo(name, sink.version_of(sink.past[0]))
