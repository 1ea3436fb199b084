"""Read one catalogue file: check its rows and cut them into chunks."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from msgspec import Raw

from api.entries.chunks import CHUNK_BYTES, CHUNK_ENTRIES, find_superseded
from api.entries.repeated_ids import RepeatedIds
from api.entries.rules import Checked, EntryRules
from api.errors import Problem
from api.files.findings import UploadFindings
from api.files.queries import Delimiter
from api.files.rows.group_rows import join_parents
from api.files.rows.json_rows import JsonFile
from api.files.rows.lines import CsvFile, Row
from api.files.rows.row_rules import file_rules_for
from api.schemas.fields import EXTRA
from shared.files.file_format import FileFormat
from shared.model import Chunk, Kind, OnMissing, Operation, Skipped

#: Operations in which several rows of one group each add a parent.
_PLACING = frozenset({Operation.SYNC, Operation.PUT, Operation.PATCH})


class CatalogFile:
    """A catalogue file while it is being read."""

    def __init__(
        self, kind: Kind, form: FileFormat, name: str, operation: Operation, on_missing: OnMissing, delimiter: Delimiter
    ) -> None:
        self.kind = kind
        self.name = name
        self.repeats = RepeatedIds()
        #: Of item groups: parents that are no groups of the file.
        self.strange_parents: list[str] = []
        #: Of item groups: the ids in the file.
        self.groups: set[str] = set()
        self._operation = operation
        self._rules: EntryRules = file_rules_for(kind, operation, on_missing)
        self._reader: CsvFile | JsonFile = (
            CsvFile(kind, operation, delimiter.character)
            if form is FileFormat.CSV
            else JsonFile(kind, self._rules.names)
        )
        #: Whether entries have unknown fields, which are dropped.
        self._has_unknown_fields = False

    def rows(self, pieces: Iterable[bytes]) -> Iterable[Row]:
        """Read the rows of the file.  Raises BrokenFile."""
        rows: Iterable[Row] = self._reader.rows(pieces)
        if self.kind is not Kind.ITEM_GROUPS or self._operation not in _PLACING:
            return rows
        tidied = ((line, self._tidied(entry), problem) for line, entry, problem in rows)
        joined, self.strange_parents = join_parents(tidied)
        return joined

    def check(self, rows: list[Row]) -> tuple[list[Raw], Checked, dict[int, list[Problem]]]:
        """Check rows; returns their entries, the result of the check, and the problems of each bad row by its index."""
        entries = [entry if not self._has_unknown_fields else self._tidied(entry) for _, entry, _ in rows]
        checked = self._rules.check(entries, "")
        if not self._has_unknown_fields and isinstance(self._reader, JsonFile) and _has_unknown(checked):
            self._has_unknown_fields = True
            return self.check(rows)
        if self.kind is Kind.ITEM_GROUPS:
            self.groups.update(checked.ids)
        problems = {
            at: [Problem(f"{self.name}, line {rows[at][0]}, {self._name(loc)}", msg) for loc, msg in wrong]
            for at, wrong in checked.problems.items()
        }
        for at, (line, _, problem) in enumerate(rows):
            if problem:
                where = f"{self.name}, line {line}" + (f", {problem.loc}" if problem.loc else "")
                problems[at] = [Problem(where, problem.msg)]
        return entries, checked, problems

    @property
    def group_ids(self) -> set[str]:
        """The item groups that items or variations name."""
        return self._reader.group_ids if self._operation in _PLACING else set()

    def warn(self, findings: UploadFindings) -> None:
        """Add a warning for every unknown column or field."""
        noun, code = ("column", "UNKNOWN_COLUMN") if isinstance(self._reader, CsvFile) else ("field", "UNKNOWN_FIELD")
        for name, near in self._reader.unknown:
            findings.warn(code, f"{self.name}: the {noun} {name[:100]!r} is unknown and was ignored{near}")

    def _tidied(self, entry: Raw) -> Raw:
        return self._reader.tidy(entry) if isinstance(self._reader, JsonFile) else entry

    def _name(self, loc: str) -> str:
        """Name a field as the file does; ``loc`` is ``[index].field``."""
        _, _, field = loc.partition("]")
        return self._reader.name_field(field.removeprefix(".")) if field else "entry"


def _has_unknown(checked: Checked) -> bool:
    return any(msg == EXTRA for wrong in checked.problems.values() for _, msg in wrong)


def blocks_of(rows: Iterable[Row], most: int = CHUNK_ENTRIES) -> Iterator[list[Row]]:
    """Group rows into blocks of so many entries at most, within the limits of a chunk."""
    block: list[Row] = []
    size = 0
    for row in rows:
        length = len(row[1])
        if block and (len(block) == most or size + length > CHUNK_BYTES):
            yield block
            block, size = [], 0
        block.append(row)
        size += length
    if block:
        yield block


def make_chunk(entries: list[Raw], checked: Checked, skipped: list[Skipped]) -> Chunk:
    """Build a chunk with one entry per line."""
    bounds = array("I")
    start = 0
    for entry in entries:
        bounds.append(start)
        bounds.append(start + len(entry))
        start += len(entry) + 1
    ids = checked.ids
    return Chunk(b"\n".join([*entries, b""]), ids, bounds, checked.parents, find_superseded(ids), skipped=skipped)
