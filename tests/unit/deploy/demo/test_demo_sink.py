"""The demo's sink at an address that is given, and one that fails."""

from __future__ import annotations

import pytest
from rich.console import Console

from deploy.demo import sink
from deploy.demo.sink import DemoSink, SinkFails, open_sink
from shared.sinks.sink_lease import SinkState

URL = "https+typesense://key@search.example"


def test_each_run_has_a_table_of_its_own_where_it_is_not_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "check_sink", lambda *_: None)
    names = set()
    for _ in range(2):
        with open_sink(URL) as opened:
            assert opened
            names.add(opened.name)
    assert len(names) == 2


def test_a_sink_that_fails_says_why_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "read_state", lambda *_: SinkState("failing", error="no such host"))
    monkeypatch.setattr(DemoSink, "shown", lambda *_: "the sink")
    with pytest.raises(SinkFails, match="no such host"):
        DemoSink(URL, "").check(None, "acme", Console())  # type: ignore[arg-type]
