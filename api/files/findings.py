"""Problems and warnings found in the files of an upload."""

from __future__ import annotations

from collections.abc import Iterable

from api.errors import PROBLEMS_IN_MESSAGE, Problem
from shared.codec import encode_json

#: Most bad rows whose problems are kept with the task.
MAX_PROBLEMS = 1000
#: Bad rows after which checking stops, unless bad rows are skipped.
MAX_BAD_ROWS = 10_000
#: Most warnings of one upload.
MAX_WARNINGS = 100

_EMPTY = "The {} file you have uploaded is empty. Please fix it and try again."


class UploadFindings:
    """Problems and warnings, gathered while the files are read."""

    def __init__(self) -> None:
        #: The first MAX_PROBLEMS of them.
        self.first: list[Problem] = []
        #: How many there are in all.
        self.problems = 0
        self.bad_rows = 0
        self.rows = 0
        #: Why the task fails, if a file has no rows.
        self.empty = ""
        #: The task fails whatever the rows are.
        self.broken = False
        #: Checking stopped before the end.
        self.gave_up = False
        self._warnings: list[str] = []

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings)

    def warn(self, code: str, message: str) -> None:
        """Add a warning: a likely mistake that does not fail the task."""
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings.append(encode_json({"code": code, "message": message, "data": {"id": None}}).decode())

    def add(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self.problems += 1
            if len(self.first) < MAX_PROBLEMS:
                self.first.append(problem)

    def note_empty(self, kind: str) -> None:
        self.empty = self.empty or _EMPTY.format(kind)

    def doom(self, *, skipping: bool) -> str:
        """Return why the task must fail; empty if it need not."""
        skipped_all = skipping and 0 < self.rows == self.bad_rows
        if not (self.empty or self.broken or skipped_all or (self.bad_rows and not skipping)):
            return ""
        texts = [*map(str, self.first[:PROBLEMS_IN_MESSAGE])]
        more = self.problems - PROBLEMS_IN_MESSAGE
        if more > 0:
            texts.append(f"and {'at least ' if self.gave_up else ''}{more} more")
        return "; ".join([*texts, self.empty] if self.empty else texts)
