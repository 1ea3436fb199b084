"""Write exports: piece by piece, each from where the one before it ended.

An export is the head of its partition until it ends, so nothing is committed between its pieces: together they are the
catalogue as it is after all tasks before.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import structlog

from shared.catalogs import Catalog, Entry
from shared.codec import decode_cursor, encode_json
from shared.export_files import ExportFiles
from shared.exports import Exports
from shared.leases import Work
from shared.model import NO_SECTION, CatalogPart, Kind
from shared.steps import Failure, Piece

log = structlog.get_logger()

#: A piece ends with the page after which so many entries were read, or bytes of text written: well within a slice.
PIECE_ENTRIES = 5_000
PIECE_BYTES = 8 * 1024 * 1024
#: Entries read in one go: even the longest there may be are then little memory.
PAGE_ENTRIES = 200

#: Fast; what it leaves is a few percent more.
_LEVEL = 1
#: The window of zlib, in a gzip file.
_GZIP = 16 + zlib.MAX_WBITS
#: An entry is kept as it was sent, which may be over many lines; inside of texts JSON has no line ends.
_ON_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class Place(NamedTuple):
    """Up to where an export has read."""

    #: Index of the kind in the part of the catalog.
    kind: int = 0
    #: The last id of that kind, None if none was read.
    after: str | None = None


class Packed(NamedTuple):
    """A piece in memory."""

    data: bytes
    entries: int
    #: Where the next one begins; None: this is the last.
    next_place: Place | None


class Exporter:
    """Writes the pieces of exports, of any catalog."""

    def __init__(self, open_exports: Callable[[str], Exports], files: ExportFiles) -> None:
        self._open_exports = open_exports
        self._files = files

    def step(
        self, catalog: Catalog, catalog_key: str, token: str, work: Work, hold: Callable[[], None]
    ) -> Piece | Failure:
        """Write the next piece of the export at the head; only the step that is returned makes it one.

        ``hold`` is called with each page, and raises if the partition is somebody else's now.
        """
        assert work.batch is not None
        assert work.batch.export is not None
        export, written = work.batch.export, self._open_exports(catalog_key).written(work.task_id)
        place = Place(*decode_cursor(written.cursor)) if written.cursor else Place()
        packed = _pack(_pages(catalog, work.batch.section, export.part, place), export.from_ms or 0, hold)
        # The token, so that a former owner that wakes up late writes over nobody's file.
        name = f"{written.pieces:05d}-{token.replace(':', '-')}.jsonl.gz"
        try:
            self._files.write(catalog_key, work.task_id, name, packed.data)
        except OSError as error:
            log.exception("export not written", action="export", catalog_key=catalog_key, task_id=work.task_id)
            return Failure(work, f"IngestionError: the export could not be written: {error}")
        cursor = "" if packed.next_place is None else encode_json(packed.next_place).decode()
        return Piece(work, written.pieces, name, packed.entries, len(packed.data), cursor)

    def remove_expired(self, catalog_key: str, now_ms: int) -> None:
        """Remove the files of exports whose time is up; a place that is away is looked at again later."""
        exports = self._open_exports(catalog_key)
        for task_id in exports.expired(now_ms):
            try:
                self._files.remove(catalog_key, task_id)
            except OSError as error:
                where = {"catalog_key": catalog_key, "task_id": task_id}
                log.warning("export not removed", action="export", error=str(error), **where)
                continue
            exports.forget_files(task_id)


def _pages(catalog: Catalog, section: str, part: CatalogPart, place: Place) -> Iterator[tuple[Place, list[Entry]]]:
    """Read on from a place, page by page; each comes with the place behind it."""
    for number, kind in enumerate(part.kinds):
        if number < place.kind:
            continue
        after = place.after if number == place.kind else None
        of = NO_SECTION if kind is Kind.ITEM_GROUPS else section
        while page := catalog.page_after(kind, of, after=after, size=PAGE_ENTRIES):
            after = page[-1].id
            yield Place(number, after), page


def _pack(pages: Iterator[tuple[Place, list[Entry]]], from_ms: int, hold: Callable[[], None]) -> Packed:
    """Compress what was changed since a moment, until there is enough for a piece."""
    packer, data = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP), bytearray()
    read = entries = text_bytes = 0
    for place, page in pages:
        hold()
        lines = [entry.body.translate(_ON_ONE_LINE) + b"\n" for entry in page if entry.updated_ms >= from_ms]
        text = b"".join(lines)
        data += packer.compress(text)
        read, entries, text_bytes = read + len(page), entries + len(lines), text_bytes + len(text)
        if read >= PIECE_ENTRIES or text_bytes >= PIECE_BYTES:
            return Packed(bytes(data + packer.flush()), entries, place)
    return Packed(bytes(data + packer.flush()), entries, None)
