"""`make restart` replaces what runs, and nothing else."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from deploy import restart
from deploy.stack.services import Name
from deploy.stack.supervisor import Process, Supervisor, SupervisorSilent
from shared.waiting import WaitedInVain


class Supervised:
    """A supervisor that notes what it is asked for; calls may get lost, by their numbers from 0."""

    def __init__(self, *names: Name, lost: Collection[int] = ()) -> None:
        self.pids = dict.fromkeys(names, 1)
        self.asked: list[tuple[str, Name]] = []
        #: Were started and do not run.
        self.down: set[Name] = set()
        #: Do not end in time.
        self.stubborn = False
        self._lost = lost

    def processes(self) -> dict[Name, Process]:
        never = {name: Process(name, 0, "STOPPED", was_wanted=False) for name in Name}
        down = {name: Process(name, 0, "STOPPED") for name in self.down}
        return never | down | {name: Process(name, pid, "RUNNING") for name, pid in self.pids.items()}

    def stop_service(self, name: Name, *, timeout_s: float) -> None:
        self._ask("stop", name)
        if self.stubborn:
            raise WaitedInVain("it stops")
        self.pids.pop(name, None)
        self.down.add(name)

    def start_service(self, name: Name) -> None:
        self._ask("start", name)
        self.pids[name] = 2

    def _ask(self, what: str, name: Name) -> None:
        self.asked.append((what, name))
        if len(self.asked) - 1 in self._lost:
            raise SupervisorSilent("busy")


@pytest.mark.parametrize("sinks", [True, False])
def test_the_worker_of_sinks_is_replaced_where_there_is_one(sinks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [Name.INGRESS, Name.WORKER, *([Name.SINKS] if sinks else [])]
    supervised = Supervised(*names)
    monkeypatch.setattr(restart, "Supervisor", lambda *_: supervised)
    monkeypatch.setattr(restart, "replace_ingress", lambda *_: None)
    assert restart.main() == 0
    assert supervised.asked == [(what, name) for name in names[1:] for what in ("stop", "start")]


def test_silence_is_no_end_of_a_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is started before its end stays down."""
    supervisor = Supervisor(tmp_path / "supervisor.conf", tmp_path / "supervisor.sock")

    def silent(method: str, *_: object) -> None:
        if method == "getAllProcessInfo":
            raise SupervisorSilent("busy")

    monkeypatch.setattr(supervisor, "_call", silent)
    with pytest.raises(SupervisorSilent):
        supervisor.stop_service(Name.WORKER, timeout_s=30)


def test_a_worker_of_sinks_that_an_interrupted_restart_left_down_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    supervised = Supervised(Name.INGRESS, Name.WORKER)
    supervised.down = {Name.SINKS}
    monkeypatch.setattr(restart, "Supervisor", lambda *_: supervised)
    monkeypatch.setattr(restart, "replace_ingress", lambda *_: None)
    assert restart.main() == 0
    assert ("start", Name.SINKS) in supervised.asked


@pytest.mark.timeout(60)
def test_a_lost_stop_is_sent_again_and_a_lost_start_too() -> None:
    supervised = Supervised(Name.WORKER, lost={0, 1, 3})
    restart.replace_worker(supervised)  # type: ignore[arg-type]
    assert [what for what, _ in supervised.asked] == ["stop", "stop", "stop", "start", "start"]
    assert supervised.pids[Name.WORKER] == 2


@pytest.mark.timeout(60)
def test_a_worker_that_does_not_end_in_time_is_started_all_the_same() -> None:
    supervised = Supervised(Name.WORKER)
    supervised.stubborn = True
    with pytest.raises(WaitedInVain, match="it stops"):
        restart.replace_worker(supervised)  # type: ignore[arg-type]
    assert supervised.pids[Name.WORKER] == 2
