"""Deliver to files of JSON lines, in any storage that fsspec supports: a snapshot, and deltas beside it.

Each delivery is a file of its own, whose name is its number; read in the order of their names they are the catalogue.
A file is there whole or not at all.  A late writer's files come before those that its successor wrote, which have all
of its changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from shared.catalog.pages import StoredEntry
from shared.clock import iso
from shared.codec import encode_json
from shared.files.durable import write_durably
from shared.model import Kind
from shared.sinks.destination import DeadLetter, DestinationAway, Superseded
from shared.sinks.mapping import Document, Variations
from shared.sinks.mapping import Mapping as SinkMapping
from shared.sinks.search.ledger_destination import LedgerDestination
from shared.sinks.sinks import BadSink, Sink

#: In front of the URL as fsspec has it.
PREFIX = "files+"
#: Bytes of the digest of an entry.
DIGEST_BYTES = 12

#: Of an item, up to when it changed: a variation that is written moves that, and the item is not delivered for it.
_OF_ITEM = re.compile(rb'(\{"id":"(?:[^"\\]|\\.)*","updated_at":)"[^"]*"(?!,"item_id":)')
#: In JSON a line break is white space, never part of a value.
_NO_BREAKS = bytes.maketrans(b"\n\r", b"  ")


def check_sink(url: str, mapping: SinkMapping) -> None:
    """Raise BadSink unless there is such a storage, and it can have such documents."""
    if mapping.mode not in (Variations.TABLE, Variations.NONE):
        raise BadSink(f"files cannot have mode {mapping.mode}; use table or none")
    _open(url)


def connect(sink: Sink, catalog_key: str, *, timeout_s: float) -> LedgerDestination:
    """Open a sink's destination.  The time is bounded by the storage's own limits."""
    check_sink(sink.url, sink.mapping)
    return LedgerDestination(FileEngine(sink), sink, catalog_key, timeout_s=timeout_s)


def _open(url: str) -> tuple[Any, str]:
    try:
        opened: tuple[Any, str] = url_to_fs(url.removeprefix(PREFIX))
    except (ImportError, ValueError) as problem:
        raise BadSink(f"this is no storage that fsspec can open here: {problem}") from None
    return opened


class FileEngine:
    """A folder; a `shared.sinks.search.engine.Engine` that keeps its gate open: late files are harmless."""

    compares = False

    def __init__(self, sink: Sink) -> None:
        self._fs, self._root = _open(sink.url)
        self._ledger = posixpath.join(self._root, f"{sink.name}.json")
        #: Digests by id of what the files of a place say, and the sizes of those that have been read.
        self._seen: tuple[str, dict[str, int], dict[str, bytes]] = ("", {}, {})

    def limit(self, seconds: float) -> contextlib.AbstractContextManager[None]:
        return _storage()

    def load(self) -> tuple[bytes, Any] | None:
        # Another worker may have written since it was last listed.
        self._fs.invalidate_cache()
        try:
            found: bytes = self._fs.cat_file(self._ledger)
        except FileNotFoundError:
            return None
        return found, found

    def save(self, ledger: bytes, tag: Any) -> Any:
        # No storage compares.  But the number of a change is older than this look: who sleeps before it is refused, and
        # who sleeps after it has a number below those of its successor.
        found = self.load()
        if (found[1] if found else None) != tag:
            raise Superseded("another delivers to this sink now")
        self._write(self._ledger, ledger)
        return ledger

    def fence(self, gate: str, number: int, places: Sequence[str], confirm: Callable[[], None]) -> str:
        return "open"

    def create(self, place: str, kind: Kind, gate: str) -> None:
        # A folder is there once it has a file, in some storages.
        self._write(self._path(place, "0.ndjson"), b"")

    def has(self, place: str) -> bool:
        return bool(self._fs.exists(self._path(place, "0.ndjson")))

    def drop(self, place: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm(self._path(place), recursive=True)

    def led_to(self, name: str) -> list[str]:
        return []

    def point(self, names: Mapping[str, str | None], led: Mapping[str, Sequence[str]], gate: str, number: int) -> str:
        # Readers find the live places in the ledger.
        return gate

    def write(
        self, place: str, gate: str, number: int, kind: Kind, documents: Sequence[Document], gone: Sequence[str]
    ) -> list[DeadLetter]:
        lines = [_deleted(entry_id) for entry_id in gone]
        lines += [_line(one) for one in documents]
        # A file would make it anew, without what it had.
        if not self.has(place):
            raise Superseded(f"{place} is gone")
        self._write(self._path(place, f"{number}.ndjson"), b"".join(lines))
        return []

    def find(self, place: str, ids: Sequence[str]) -> list[StoredEntry]:
        # No mode puts entries into others here, see `check_sink`.
        raise NotImplementedError

    find_of = find

    def wanted(self, kind: Kind, document: Document) -> Any:
        return _digest(_line(document))

    def read(self, place: str, ids: Sequence[str], after: str, until: str) -> dict[str, Any]:
        begin, end = after.encode(), until.encode()
        return {
            entry_id: digest
            for entry_id, digest in self._fold(place).items()
            if entry_id.encode() > begin and (not until or entry_id.encode() <= end)
        }

    def _fold(self, place: str) -> dict[str, bytes]:
        """Read the files that have not been read, in order."""
        seen_place, seen, digests = self._seen
        if seen_place != place:
            seen, digests = {}, {}
        there = self._sizes(place)
        new = [name for name in there if name not in seen]
        late = bool(seen and new) and _number(new[0]) < max(map(_number, seen))
        if late or any(there.get(name) != size for name, size in seen.items()):
            # A late writer's is in between, or somebody removed or changed one.
            seen, digests, new = {}, {}, list(there)
        for name in new:
            for line in self._fs.cat_file(self._path(place, name)).splitlines(keepends=True):
                entry = json.loads(line)
                if entry.get("deleted") is True:
                    digests.pop(entry["id"], None)
                else:
                    digests[entry["id"]] = _digest(line)
            seen[name] = there[name]
        self._seen = place, seen, digests
        return digests

    def _sizes(self, place: str) -> dict[str, int]:
        """List the files of a place with their sizes, in order."""
        self._fs.invalidate_cache()
        found = {posixpath.basename(one["name"]): one["size"] for one in self._fs.ls(self._path(place), detail=True)}
        # Others may be there, too: marks of folders, for example.
        return {name: found[name] for name in sorted(filter(_OURS.fullmatch, found), key=_number)}

    def _path(self, *names: str) -> str:
        return posixpath.join(self._root, *names)

    def _write(self, path: str, data: bytes) -> None:
        if isinstance(self._fs, LocalFileSystem):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            write_durably(Path(path), data)
        else:
            self._fs.pipe_file(path, data)

    def close(self) -> None:
        """Nothing is open."""


@contextlib.contextmanager
def _storage() -> Any:
    """Raise DestinationAway instead of errors of the storage."""
    try:
        yield
    except OSError as problem:
        raise DestinationAway(str(problem) or type(problem).__name__) from problem


_OURS = re.compile(r"\d+\.ndjson")


def _number(name: str) -> int:
    return int(name.partition(".")[0])


def _line(one: Document) -> bytes:
    row: dict[str, Any] = {"id": one.id, "updated_at": iso(one.updated_ms)}
    row |= one.columns if one.item_id is None else {"item_id": one.item_id, **one.columns}
    return encode_json({**row, "body": msgspec.Raw(one.body)}).translate(_NO_BREAKS) + b"\n"


def _deleted(entry_id: str) -> bytes:
    return encode_json({"id": entry_id, "deleted": True}) + b"\n"


def _digest(line: bytes) -> bytes:
    found = _OF_ITEM.match(line)
    compared = found[1] + line[found.end() :] if found else line
    return hashlib.blake2b(compared, digest_size=DIGEST_BYTES).digest()
