"""Ids in paths."""

from __future__ import annotations

from werkzeug.routing import BaseConverter

from api.errors import Invalid, NotFound, Problem
from api.schemas import MAX_INT32


class AnythingConverter(BaseConverter):
    """The rest of a path, whatever it holds: slashes, newlines, a leading slash.

    Flask's own ``path`` misses newlines and redirects a leading ``%2F``.
    """

    regex = "(?s:.+)"
    part_isolating = False
    #: More than any other converter's: whatever else fits a path comes first.
    weight = 1000


class TaskIdConverter(AnythingConverter):
    """What stands for a task's id, but for the names of what belongs to a task: those have routes of their own."""

    regex = r"(?s:(?!.*/(?:entries|payload)\Z).+)"


def read_task_id(text: str) -> int:
    """Read a task id from a path.

    Raises Invalid unless it is a whole number, NotFound for one that no task can have.
    """
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        raise Invalid(Problem("task_id", "value is not a valid integer"))
    # Longer than any number we could have given out; int() refuses thousands of digits.
    if len(text) > len(str(MAX_INT32)):
        raise NotFound(f"task {text[:20]} not found")
    return int(text)
