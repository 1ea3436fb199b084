"""Turn local files into the parts of a form, by their names."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from api.files.file_names import is_archive
from shared.model import CatalogPart, Kind

PIECE_BYTES = 256 * 1024

#: ``items.csv``, or an export's name: ``acme_Products_export_items_2026-01-31-12-00-00.jsonl.gz``.
_PART = re.compile(
    rf"(?:^|_export_)({'|'.join(sorted(CatalogPart, key=len, reverse=True))})(?:_\d{{4}}(?:-\d\d){{5}})?\.",
    re.IGNORECASE,
)


class _Variation(msgspec.Struct):
    item_id: str | None = None


_read = msgspec.json.Decoder(_Variation).decode


@dataclass(frozen=True, slots=True)
class FilePart:
    """One part of a form."""

    name: str
    filename: str
    file: Path
    #: For an export of items and variations, which share a file: the kind to send with this part.
    only: Kind | None = None

    def read(self, sent: Callable[[int], None]) -> Iterator[bytes]:
        """Read the bytes to send; ``sent`` is called with the number of file bytes read."""
        if self.only is not None:
            yield from self._lines_of(self.only)
            # The file is read once for each of its two kinds.
            sent(self.file.stat().st_size // 2)
            return
        with self.file.open("rb") as opened:
            while piece := opened.read(PIECE_BYTES):
                yield piece
                sent(len(piece))

    def _lines_of(self, kind: Kind) -> Iterator[bytes]:
        with gzip.open(self.file) if self.file.suffix == ".gz" else self.file.open("rb") as opened:
            for line in opened:
                is_variation = b'"item_id"' in line and _read(line).item_id is not None
                if is_variation is (kind is Kind.VARIATIONS):
                    yield line


def parts_of(file: Path) -> list[FilePart]:
    """Return the parts of a file, by its name.  Raises UsageError if the name is unknown."""
    if is_archive(file.name):
        return [FilePart(file.name, file.name, file)]
    if (found := _PART.search(file.name)) is None:
        raise click.UsageError(
            f"{file.name}: unknown name; name the file items.csv, variations.jsonl, item_groups.json.gz or so, keep "
            "an export's name, or send one .tar.gz"
        )
    part = CatalogPart(found[1].lower())
    if part is CatalogPart.ITEMS_WITH_VARIATIONS:
        return [FilePart(kind, f"{kind}.jsonl", file, kind) for kind in part.kinds]
    return [FilePart(part, file.name, file)]
