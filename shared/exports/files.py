"""The files of exports, in any storage that fsspec supports: a folder, a bucket.

Each piece of an export is a file; concatenated they are one gzip file.  The store has the list of pieces in order:
files that a killed worker left incomplete are not in it, and are removed with the others.
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from shared.errors import Misconfigured, SluiceError
from shared.exports.joined_files import JoinedFiles
from shared.files.durable import write_durably
from shared.settings import Settings

#: Bytes per read.
BLOCK = 64 * 1024


class ExportGone(SluiceError):
    """The files of an export no longer exist."""


class ExportFiles:
    """Writes and reads exports.  Raises OSError, or an error of the storage, if it is unreachable."""

    def __init__(self, settings: Settings) -> None:
        """Open the storage.  Raises Misconfigured if its URL is invalid or its package is not installed."""
        # Created in each process: some storages have threads, which a fork does not copy.
        url = settings.exports_url or str(settings.data_dir.absolute() / "exports")
        try:
            self._fs, self._root = url_to_fs(url)
        except (ImportError, ValueError) as problem:
            raise Misconfigured(f"SLUICE_EXPORTS_URL={url!r}: {problem}") from problem

    def write(self, catalog_key: str, task_id: int, name: str, data: bytes) -> None:
        """Write one file, replacing any with its name; on a local disk durably."""
        folder = self._folder(catalog_key, task_id)
        self._fs.makedirs(folder, exist_ok=True)
        path = posixpath.join(folder, name)
        if isinstance(self._fs, LocalFileSystem):
            write_durably(Path(path), data)
        else:
            self._fs.pipe_file(path, data)

    def read(self, catalog_key: str, task_id: int, names: Sequence[str]) -> Iterator[bytes]:
        """Read files one after the other, block by block.

        Raises ExportGone, before anything is read.
        """
        whole = self.open(catalog_key, task_id, names)
        return iter(lambda: whole.read(BLOCK), b"")

    def open(self, catalog_key: str, task_id: int, names: Sequence[str]) -> JoinedFiles:
        """Open files as one seekable file.  Raises ExportGone, before anything is read."""
        paths = [posixpath.join(self._folder(catalog_key, task_id), name) for name in names]
        try:
            sizes = [self._fs.size(path) for path in paths]
        except FileNotFoundError:
            sizes = []
        if not sizes:
            raise ExportGone("the files of this export no longer exist")
        return JoinedFiles(self._fs, paths, sizes)

    def remove(self, catalog_key: str, task_id: int) -> None:
        """Remove all files of an export, if there are any."""
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm(self._folder(catalog_key, task_id), recursive=True)

    def _folder(self, catalog_key: str, task_id: int) -> str:
        # A key of dots only would point outside the folder.
        name = catalog_key if catalog_key.strip(".") else catalog_key.replace(".", "%2E")
        return posixpath.join(self._root, name, str(task_id))
