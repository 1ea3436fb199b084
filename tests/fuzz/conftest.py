"""Give every test that schemathesis generates for an operation an id of its own.

It gives all of them the same one, of which pytest-xdist would run the first and drop the others without a word.
"""

from __future__ import annotations

from dataclasses import replace

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "fuzz" and not item.id.params and "[" in item.name:
            item._id = replace(item.id, params=item.name.partition("[")[2].removesuffix("]"))
    ids = [item.nodeid for item in items]
    assert len(set(ids)) == len(ids), "tests that share an id would not all be run"
