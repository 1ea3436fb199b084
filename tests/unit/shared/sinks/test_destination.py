"""Packages of others add destinations by an entry point."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shared.sinks import destination
from shared.sinks.destination import check_sink, connect
from shared.sinks.mapping import DEFAULT
from shared.sinks.sinks import BadSink, Sink


def test_a_destination_of_another_package_is_found_by_the_scheme_of_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = list[Any]()
    theirs = SimpleNamespace(
        connect=lambda sink, catalog_key, *, timeout_s: (sink.url, catalog_key, timeout_s),
        check_sink=lambda url, mapping: checked.append((url, mapping)),
    )

    def entry_points(*, group: str, name: str) -> list[Any]:
        return [SimpleNamespace(load=lambda: theirs)] if (group, name) == ("sluice.destinations", "mongo") else []

    monkeypatch.setattr(destination, "entry_points", entry_points)
    check_sink("mongo://host/db", DEFAULT)
    assert checked == [("mongo://host/db", DEFAULT)]
    opened: Any = connect(Sink("i", "p", "mongo://host/db", "P", 0), "acme", timeout_s=5)
    assert opened == ("mongo://host/db", "acme", 5)
    with pytest.raises(BadSink, match=r"a URL of a sink begins with postgresql://.*typesense\+https://"):
        check_sink("nosuch://host", DEFAULT)


def test_a_destination_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError("no urllib3", name="urllib3")

    monkeypatch.setattr(destination, "import_module", missing)
    with pytest.raises(BadSink, match=r"urllib3 is not installed here: pip install 'sluice\[typesense\]'"):
        check_sink("typesense+https://:key@host", DEFAULT)
