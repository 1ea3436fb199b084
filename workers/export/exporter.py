"""Write exports piece by piece, each from where the previous one ended.

An export is the head of its partition until it ends, so nothing is committed between its pieces: together they are the
catalogue as it is after all tasks before.

The first row of a CSV file names the columns of all entries, so entries are read twice: the pieces of the first pass
have no text, and their cursor has the columns found so far.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import structlog

from shared.catalog import places
from shared.catalog.pages import StoredEntry
from shared.catalog.reader import Catalog
from shared.codec import encode_json
from shared.exports.export_records import Exports, with_files_to_remove
from shared.exports.files import ExportFiles, ExportGone
from shared.exports.gzip_member import Deflated, MemberPiece
from shared.files.file_format import FileFormat
from shared.model import NO_SECTION, Batch, CatalogPart, Kind
from shared.partition.lease import Lease
from shared.partition.steps import Failure, Piece, failed
from shared.partition.work import Work
from workers.export.csv_cells import Unwritable
from workers.export.csv_table import FIXED_COLUMNS, CsvTable, find_columns
from workers.export.json_lines import JsonLines

log = structlog.get_logger()

#: A piece ends after the page that reaches this many entries, or bytes of text: well within a time slice.
PIECE_ENTRIES = 5_000
PIECE_BYTES = 8 * 1024 * 1024
#: Entries, and about how many bytes of them, per read: little memory here, and in the store while they are on the way.
PAGE_ENTRIES = 200
PAGE_BYTES = 2 * 1024 * 1024
#: Blocks of files read between two extensions of the lease.
BLOCKS_A_HOLD = 64


class ExportCursor(msgspec.Struct, array_like=True, frozen=True):
    """The position up to which an export has read."""

    #: Index of the kind in the part of the catalog.
    kind: int = 0
    #: The last id of that kind, None if none was read.
    after: str | None = None
    #: State of the gzip member; None: nothing written yet, or complete members, as older versions wrote.
    deflated: Deflated | None = None
    #: Of CSV: the columns found so far.
    columns: tuple[str, ...] = ()
    #: Of CSV: these are the columns of all entries, and the rows are being written.
    has_all_columns: bool = False

    @property
    def is_start(self) -> bool:
        """Whether no entry was read yet."""
        return self.kind == 0 and self.after is None


_decode = msgspec.json.Decoder(ExportCursor).decode


class Packed(NamedTuple):
    """A piece in memory."""

    data: bytes
    entries: int
    #: The start of the next piece; None for the last one.
    next_place: ExportCursor | None


class Exporter:
    """Writes the pieces of exports, of any catalog."""

    def __init__(self, open_exports: Callable[[str], Exports], files: ExportFiles) -> None:
        self._open_exports = open_exports
        self._files = files

    def step(self, catalog: Catalog, lease: Lease, work: Work, hold: Callable[[], None]) -> Piece | Failure:
        """Write the next piece of the export at the head; it counts only once the returned step is taken.

        ``hold`` is called with each page, and raises if another worker owns the partition now.
        """
        batch, catalog_key = work.batch, lease.catalog_key
        assert batch is not None
        assert batch.export is not None
        written = self._open_exports(catalog_key).written(work.task_id)
        place = _decode(written.cursor) if written.cursor else ExportCursor()
        # The token is in the name, so that a former owner that wakes up late overwrites no file.
        name = f"{written.pieces:05d}-{lease.token.replace(':', '-')}.{batch.export.format}.gz"
        sha256 = ""
        try:
            packed = _pack(catalog, batch, place, hold)
            self._files.write(catalog_key, work.task_id, name, packed.data)
            if packed.next_place is None:
                names = [*self._open_exports(catalog_key).names(work.task_id), name]
                sha256 = self._digest(catalog_key, work.task_id, names, hold)
        except Unwritable as problem:
            return failed(work, f"{problem}; CSV cannot have that, so export with format=jsonl")
        except (OSError, ExportGone) as error:
            log.exception("export not written", action="export", catalog_key=catalog_key, task_id=work.task_id)
            return failed(work, f"the export could not be written: {error}")
        cursor = "" if packed.next_place is None else encode_json(packed.next_place).decode()
        return Piece(work, written.pieces, name, packed.entries, len(packed.data), cursor, sha256)

    def _digest(self, catalog_key: str, task_id: int, names: Sequence[str], hold: Callable[[], None]) -> str:
        """Digest all stored pieces as one file."""
        digest = hashlib.sha256()
        for number, block in enumerate(self._files.read(catalog_key, task_id, names)):
            digest.update(block)
            if number % BLOCKS_A_HOLD == 0:
                hold()
        return digest.hexdigest()

    def remove_expired(self, catalog_keys: Sequence[str], now_ms: int) -> None:
        """Remove the files of expired exports; if the storage is unreachable, try again later."""
        for exports in with_files_to_remove(list(map(self._open_exports, catalog_keys)), now_ms):
            self._remove_expired(exports, now_ms)

    def _remove_expired(self, exports: Exports, now_ms: int) -> None:
        catalog_key = exports.catalog_key
        for task_id in exports.expired(now_ms):
            try:
                self._files.remove(catalog_key, task_id)
            except OSError as error:
                where = {"catalog_key": catalog_key, "task_id": task_id}
                log.warning("export not removed", action="export", error=str(error), **where)
                continue
            exports.forget_files(task_id)


def _pages(
    catalog: Catalog, section: str, part: CatalogPart, place: ExportCursor
) -> Iterator[tuple[ExportCursor, list[StoredEntry]]]:
    """Read page by page from a position; each page comes with the position after it."""
    for number, kind in enumerate(part.kinds):
        if number < place.kind:
            continue
        after = place.after if number == place.kind else None
        of = NO_SECTION if kind is Kind.ITEM_GROUPS else section
        begin = b"" if after is None else places.behind(after)
        while page := catalog.page_from(kind, of, begin, size=PAGE_ENTRIES, max_bytes=PAGE_BYTES).entries:
            begin = places.behind(page[-1].id)
            yield ExportCursor(number, page[-1].id), page


@dataclass(slots=True)
class _Amount:
    """The entries read for a piece."""

    entries: int = 0
    bytes: int = 0

    def add(self, page: Sequence[StoredEntry]) -> bool:
        """Count a page; returns whether the piece is full."""
        self.entries += len(page)
        self.bytes += sum(len(entry.body) for entry in page)
        return self.entries >= PIECE_ENTRIES or self.bytes >= PIECE_BYTES


def _pack(catalog: Catalog, batch: Batch, place: ExportCursor, hold: Callable[[], None]) -> Packed:
    """Make the next piece of an export.  Raises Unwritable."""
    export = batch.export
    assert export is not None
    pages, kind, from_ms = _pages(catalog, batch.section, export.part, place), export.part.kinds[0], export.from_ms or 0
    changed = ((here, page, [one.body for one in page if one.updated_ms >= from_ms]) for here, page in pages)
    if export.format is FileFormat.JSONL:
        return _pack_rows(JsonLines(), changed, place, hold)
    if kind is Kind.ITEM_GROUPS:
        return _pack_rows(CsvTable(kind, FIXED_COLUMNS[kind]), changed, place, hold)
    if place.has_all_columns:
        return _pack_rows(CsvTable(kind, place.columns), changed, place, hold)
    return _pack_no_rows(kind, changed, place, hold)


#: Pages: the position behind each, its entries, and the JSON of those to export.
_Changed = Iterator[tuple[ExportCursor, list[StoredEntry], list[bytes]]]


def _pack_rows(file: JsonLines | CsvTable, pages: _Changed, place: ExportCursor, hold: Callable[[], None]) -> Packed:
    """Compress entries until a piece is full."""
    piece, amount, entries = MemberPiece(place.deflated), _Amount(), 0
    if place.is_start:
        piece.add(file.head)
    for here, page, bodies in pages:
        hold()
        piece.add(file.rows(bodies))
        entries += len(bodies)
        if amount.add(page):
            data, deflated = piece.end(last=False)
            behind = msgspec.structs.replace(place, kind=here.kind, after=here.after, deflated=deflated)
            return Packed(data, entries, behind)
    data, _ = piece.end(last=True)
    return Packed(data, entries, None)


def _pack_no_rows(kind: Kind, pages: _Changed, place: ExportCursor, hold: Callable[[], None]) -> Packed:
    """Read entries for their columns until a piece is full."""
    data, deflated = MemberPiece(place.deflated).end(last=False)
    columns, amount = list(place.columns), _Amount()
    for here, page, bodies in pages:
        hold()
        columns = find_columns(kind, bodies, columns)
        if amount.add(page):
            return Packed(data, 0, ExportCursor(here.kind, here.after, deflated, tuple(columns)))
    columns = find_columns(kind, (), columns)
    return Packed(data, 0, ExportCursor(0, None, deflated, tuple(columns), has_all_columns=True))
