"""The worker, with a clock that can be put forward and back: ``celery --app tests.chaos.worker:celery worker``."""

from __future__ import annotations

import os
from pathlib import Path

from shared import clock
from tests.chaos import CLOCK_FILE

_right = clock.now_ms
_file = Path(os.environ[CLOCK_FILE])


def now_ms() -> int:
    """Tell a time that may be wrong."""
    try:
        return _right() + int(_file.read_text() or 0)
    except FileNotFoundError:
        return _right()


clock.now_ms = now_ms

from workers.app import celery  # noqa: E402, F401  # it takes the clock above
