"""`make restart` replaces what runs, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy import restart
from deploy.stack.services import Name
from deploy.stack.supervisor import Process, Supervisor, SupervisorSilent


class Supervised:
    """A supervisor that notes what it is asked for."""

    def __init__(self, *names: Name) -> None:
        self.names = names
        self.asked: list[tuple[str, Name]] = []

    def processes(self) -> dict[Name, Process]:
        never = {name: Process(name, 0, "STOPPED") for name in Name}
        return never | {name: Process(name, 1, "RUNNING") for name in self.names}

    def is_running(self, name: Name) -> bool:
        return True

    def stop_service(self, name: Name, *, timeout_s: float) -> None:
        self.asked.append(("stop", name))

    def start_service(self, name: Name) -> None:
        self.asked.append(("start", name))


@pytest.mark.parametrize("sinks", [True, False])
def test_the_worker_of_sinks_is_replaced_where_there_is_one(sinks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [Name.INGRESS, Name.WORKER, *([Name.SINKS] if sinks else [])]
    supervised = Supervised(*names)
    monkeypatch.setattr(restart, "Supervisor", lambda *_: supervised)
    monkeypatch.setattr(restart, "replace_ingress", lambda *_: None)
    assert restart.main() == 0
    assert supervised.asked == [(what, name) for name in names[1:] for what in ("stop", "start")]


def test_a_supervisor_that_is_silent_for_a_moment_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Silence is no end of a service: what is started before that stays down."""
    looks = [{}, {Name.WORKER: Process(Name.WORKER, 7, "STOPPING")}, {Name.WORKER: Process(Name.WORKER, 0, "STOPPED")}]
    supervisor = Supervisor(tmp_path / "supervisor.conf", tmp_path / "supervisor.sock")
    monkeypatch.setattr(supervisor, "_call", lambda *_: None)
    monkeypatch.setattr(supervisor, "processes", lambda: looks.pop(0))
    supervisor.stop_service(Name.WORKER, timeout_s=30)
    assert looks == []


@pytest.mark.timeout(60)
def test_a_worker_does_not_stay_stopped_because_a_start_gets_lost() -> None:
    supervised, lost = Supervised(Name.WORKER), [SupervisorSilent("busy"), None, None]
    running = [False, False, True]

    def start(name: Name) -> None:
        supervised.asked.append(("start", name))
        if problem := lost.pop(0):
            raise problem

    supervised.start_service = start  # type: ignore[method-assign]
    supervised.is_running = lambda _: running.pop(0)  # type: ignore[method-assign]
    restart.replace_worker(supervised)  # type: ignore[arg-type]
    assert [what for what, _ in supervised.asked] == ["stop", "start", "start", "start"]
