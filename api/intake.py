"""Catalogue files on their way in: from a stream of named parts to a task, in flat memory.

Whoever receives files makes an Intake, gives it part after part as their bytes arrive, and submits it.  Rows are
checked as they come, and their chunks are staged while the rest is still on its way; what is not submitted is dropped.
"""

from __future__ import annotations

import contextlib
import hashlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from msgspec import Raw

from api.accepting import Accepted, hand_over
from api.batches import CHUNK_BYTES, CHUNK_ENTRIES, find_superseded
from api.entries import file_rules_for
from api.errors import Invalid, Problem
from api.file_formats import FileFormat
from api.file_lines import BrokenFile, Row, read_csv_rows, read_ndjson_rows
from api.services import Services
from shared.codec import encode_chunk
from shared.errors import StoreUnavailable
from shared.model import NO_SECTION, Batch, Chunk, Form, Kind, OnMissing, Operation, Part, Submitter
from shared.partitions import new_nonce
from shared.submissions import IdempotencyKey
from shared.uploads import Upload

#: Problems that one answer lists; behind so many nothing more is read.
MAX_PROBLEMS = 1000

NO_FILE = 'form-data should contain at least one of "items", "variations", "item_groups".'
_EMPTY = "The {} file you have uploaded is empty. Please fix it and try again."


@dataclass(frozen=True, slots=True)
class FileOrder:
    """What is to be done with files."""

    operation: Operation
    section: str
    on_missing: OnMissing = OnMissing.FAIL
    force: bool = False
    notification_emails: tuple[str, ...] = ()
    protocol: str = "http"
    submitter: Submitter | None = None
    request_id: str = ""
    traceparent: str = ""


class Intake:
    """One upload of files to one catalog; a context that drops what was not submitted."""

    def __init__(self, tools: Services, catalog_key: str, order: FileOrder) -> None:
        self._tools = tools
        self._catalog_key = catalog_key
        self._order = order
        self._upload = Upload(tools.client, catalog_key, new_nonce())
        self._parts: list[Part] = []
        self._entries = self._bytes = 0
        self._empty: Kind | None = None
        self._problems: list[Problem] = []
        self._contents = hashlib.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._upload.chunks:
            # It goes by itself where the store is away.
            with contextlib.suppress(StoreUnavailable):
                self._upload.drop()

    def take(self, kind: Kind, form: FileFormat, pieces: Iterable[bytes]) -> None:
        """Read one file to its end, and stage its entries as they come.

        Raises Invalid if it cannot be read on; what is wrong with single entries is told by `submit`.
        """
        if kind in (part.kind for part in self._parts):
            raise Invalid(Problem(kind, "this part is there more than once"))
        self._contents.update(f"\0{kind}\0{form}\0".encode())
        first, chunks = self._entries, self._upload.chunks
        order, counted = self._order, self._counted(pieces)
        rows = read_csv_rows(counted, kind, order.operation) if form is FileFormat.CSV else read_ndjson_rows(counted)
        try:
            for block in _blocks_of(rows):
                self._stage(kind, block, self._entries - first)
        except BrokenFile as broken:
            raise Invalid(*self._problems, Problem(kind, str(broken))) from None
        if self._entries == first:
            self._empty = self._empty or kind
        self._parts.append(Part(kind, self._entries - first, self._upload.chunks - chunks))

    @property
    def contents(self) -> bytes:
        """A digest of all that was taken in, however it was sent."""
        return self._contents.digest()

    def submit(self, *, idempotency: IdempotencyKey | None = None) -> Accepted:
        """Make a task of all that was taken in.

        Raises Invalid with what is wrong with the entries, or if there is no file; and as `hand_over`.  A file without
        entries makes a task that fails.
        """
        if self._problems:
            raise Invalid(*self._problems)
        if not self._parts:
            raise Invalid(Problem("", NO_FILE))
        return hand_over(self._tools, self._catalog_key, self._batch(), self._upload, idempotency=idempotency)

    def _batch(self) -> Batch:
        order, kinds = self._order, [part.kind for part in self._parts]
        parts, doomed = tuple(self._parts), ""
        if self._empty is not None:
            # A task has a chunk at least.
            self._upload.drop()
            self._upload.append(encode_chunk(Chunk(b"", [], array("I"))))
            parts, doomed = (
                tuple(Part(kind, 0, int(i == 0)) for i, kind in enumerate(kinds)),
                _EMPTY.format(self._empty),
            )
        in_section = kinds != [Kind.ITEM_GROUPS]
        return Batch(
            kind=kinds[0],
            operation=order.operation,
            section=order.section if in_section else NO_SECTION,
            entries=sum(part.entries for part in parts),
            bytes=self._bytes,
            chunks=self._upload.chunks,
            on_missing=order.on_missing,
            form=Form.NDJSON,
            force=order.force,
            parts=parts,
            doomed=doomed,
            protocol=order.protocol,
            notification_emails=order.notification_emails,
            submitter=order.submitter,
            request_id=order.request_id,
            traceparent=order.traceparent,
        )

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._bytes += len(piece)
            self._contents.update(piece)
            yield piece

    def _stage(self, kind: Kind, rows: list[Row], first: int) -> None:
        """Check rows and stage them as one chunk, unless something is wrong; ``first`` is their place in the file."""
        lines = [line for line, _, _ in rows]
        entries = [entry for _, entry, _ in rows]
        order = self._order
        checked = file_rules_for(kind, order.operation, order.on_missing).check(entries, kind, first=first)
        for at, (_, _, problem) in enumerate(rows):
            if problem:
                checked.problems[at] = [Problem(f"{kind}[{first + at}]", problem)]
        for at in sorted(checked.problems):
            self._problems += [Problem(loc, f"{msg} (line {lines[at]})") for loc, msg in checked.problems[at]]
        if len(self._problems) >= MAX_PROBLEMS:
            raise Invalid(*self._problems[:MAX_PROBLEMS])
        if not self._problems:
            chunk = _chunk(entries, checked.ids, checked.parents)
            frame = encode_chunk(replace(chunk, first=self._entries))
            self._tools.admit(len(frame), len(rows))
            self._upload.append(frame)
        self._entries += len(rows)


def _blocks_of(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Gather rows up to the bounds of a chunk."""
    block: list[Row] = []
    size = 0
    for row in rows:
        length = len(row[1])
        if block and (len(block) == CHUNK_ENTRIES or size + length > CHUNK_BYTES):
            yield block
            block, size = [], 0
        block.append(row)
        size += length
    if block:
        yield block


def _chunk(entries: list[Raw], ids: list[str], parents: list[str | None] | None) -> Chunk:
    """Write entries one a line."""
    bounds = array("I")
    start = 0
    for entry in entries:
        bounds.append(start)
        bounds.append(start + len(entry))
        start += len(entry) + 1
    return Chunk(b"\n".join([*entries, b""]), ids, bounds, parents, find_superseded(ids))
