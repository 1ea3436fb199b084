"""The files of exports, in any place that fsspec knows: a folder, a bucket.

The pieces of an export lie side by side, each a gzip file of its own; one behind the other they are the whole, since
gzip files may be joined.  Which files are pieces, and in which order, the store says: what a killed worker left half
written is none, and goes with the others.
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Iterator, Sequence

from fsspec.core import url_to_fs

from shared.errors import Misconfigured, SluiceError
from shared.settings import Settings

#: Bytes read in one go.
BLOCK = 64 * 1024


class ExportGone(SluiceError):
    """The files of an export are no longer there."""


class ExportFiles:
    """Where exports are written to and read from.  Raises OSError, or what the place has of its own, if it is away."""

    def __init__(self, settings: Settings) -> None:
        """Open the place.  Raises Misconfigured if its URL is none, or its package is not installed."""
        # Made anew for each process: some places keep threads, which no fork takes along.
        url = settings.exports_url or str(settings.data_dir.absolute() / "exports")
        try:
            self._fs, self._root = url_to_fs(url)
        except (ImportError, ValueError) as problem:
            raise Misconfigured(f"SLUICE_EXPORTS_URL={url!r}: {problem}") from problem

    def write(self, catalog_key: str, task_id: int, name: str, data: bytes) -> None:
        """Write one file, in place of any that has the name."""
        folder = self._folder(catalog_key, task_id)
        self._fs.makedirs(folder, exist_ok=True)
        self._fs.pipe_file(posixpath.join(folder, name), data)

    def read(self, catalog_key: str, task_id: int, names: Sequence[str]) -> Iterator[bytes]:
        """Read files, one behind the other, block by block.

        All are looked for before anything is read.  Raises ExportGone.
        """
        paths = [posixpath.join(self._folder(catalog_key, task_id), name) for name in names]
        if not paths or not all(map(self._fs.exists, paths)):
            raise ExportGone("the files of this export are no longer there")
        return self._blocks(paths)

    def _blocks(self, paths: Sequence[str]) -> Iterator[bytes]:
        for path in paths:
            with self._fs.open(path, "rb") as file:
                while block := file.read(BLOCK):
                    yield block

    def remove(self, catalog_key: str, task_id: int) -> None:
        """Remove all files of an export; if there are none, that is no error."""
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm(self._folder(catalog_key, task_id), recursive=True)

    def _folder(self, catalog_key: str, task_id: int) -> str:
        return posixpath.join(self._root, catalog_key, str(task_id))
