"""Attributes that have other values for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

#: Owner, name of its attribute, value.
Replacement = tuple[object, str, object]


@contextlib.contextmanager
def replaced(*values: Replacement) -> Iterator[None]:
    """Replace attributes; for each of thousands of histories `mock.patch` would take too long."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in values]
    try:
        for owner, name, value in values:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
