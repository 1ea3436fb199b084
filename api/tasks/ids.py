"""Task ids in paths."""

from __future__ import annotations

from api.errors import Invalid, NotFound, Problem
from api.http.converters import AnythingConverter
from api.schemas.queries import MAX_INT32


class TaskIdConverter(AnythingConverter):
    """A task's id in a path, but not the names of a task's subresources, which have their own routes."""

    regex = r"(?s:(?!.*/(?:entries|payload)\Z).+)"


def read_task_id(text: str) -> int:
    """Read a task id from a path.

    Raises Invalid unless it is a whole number, NotFound for one that no task can have.
    """
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        raise Invalid(Problem("task_id", "value is not a valid integer"))
    # Longer than any id that was ever assigned; int() refuses thousands of digits.
    if len(text) > len(str(MAX_INT32)):
        raise NotFound(f"task {text[:20]} not found")
    return int(text)
