"""`make restart` replaces what runs, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy import restart
from deploy.stack.services import Name
from deploy.stack.supervisor import Process, Supervisor, SupervisorSilent


class Supervised:
    """A supervisor that notes what it is asked for; the first starts and stops may get lost."""

    def __init__(self, *names: Name, lost: int = 0) -> None:
        self.pids = dict.fromkeys(names, 1)
        self.asked: list[tuple[str, Name]] = []
        self._lost = lost

    def processes(self) -> dict[Name, Process]:
        never = {name: Process(name, 0, "STOPPED") for name in Name}
        return never | {name: Process(name, pid, "RUNNING") for name, pid in self.pids.items()}

    def stop_service(self, name: Name, *, timeout_s: float) -> None:
        self._ask("stop", name)

    def start_service(self, name: Name) -> None:
        self._ask("start", name)
        self.pids[name] = 2

    def _ask(self, what: str, name: Name) -> None:
        self.asked.append((what, name))
        self._lost -= 1
        if self._lost >= 0:
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


@pytest.mark.timeout(60)
def test_a_worker_does_not_stay_stopped_because_an_answer_gets_lost() -> None:
    supervised = Supervised(Name.WORKER, lost=3)
    restart.replace_worker(supervised)  # type: ignore[arg-type]
    assert [what for what, _ in supervised.asked] == ["stop", "start", "start", "start"]
    assert supervised.pids[Name.WORKER] == 2
