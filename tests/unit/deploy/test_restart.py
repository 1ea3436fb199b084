"""`make restart` replaces what runs, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from deploy import restart
from deploy.stack.services import Name


class Supervised:
    """A supervisor that notes what it is asked for."""

    def __init__(self, *names: Name) -> None:
        self.names = names
        self.asked: list[tuple[str, Name]] = []

    def processes(self) -> dict[Name, Any]:
        return {name: type("Process", (), {"state": "RUNNING", "pid": 1}) for name in self.names}

    def stop_service(self, name: Name, *, timeout_s: float) -> None:
        self.asked.append(("stop", name))

    def start_service(self, name: Name) -> None:
        self.asked.append(("start", name))


@pytest.mark.parametrize("sinks", [True, False])
def test_the_worker_of_sinks_is_replaced_where_there_is_one(sinks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [Name.WORKER, *([Name.SINKS] if sinks else [])]
    supervised = Supervised(*names)
    monkeypatch.setattr(restart, "Supervisor", lambda *_: supervised)
    monkeypatch.setattr(restart, "replace_ingress", lambda _: None)
    assert restart.main() == 0
    assert supervised.asked == [(what, name) for name in names for what in ("stop", "start")]
