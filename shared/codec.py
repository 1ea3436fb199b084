"""Encode and decode chunks, batches and reports.

A chunk's frame is zstd over msgpack ``[ids, bounds, parents, superseded, first, skipped, text]``: with ids and bounds
beside the text, a worker needs no JSON parser to apply a PUT or a DELETE.
"""

from __future__ import annotations

import struct
import threading
from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from zlib import crc32

import msgspec
import zstandard

from shared.errors import RecordTooNew
from shared.model import Batch, Chunk, Kind, Outcome, Skipped
from shared.origin import Origin

#: Digits of the update time (ms) before the JSON of every stored entry.
STAMP_DIGITS = 13

#: Level 1, since higher ones cost twice the time for a few percent; with a smaller window and table than it comes with,
#: which take an eighth of its time away for a twentieth more bytes: they stay in the fast caches.
_QUICKLY = zstandard.ZstdCompressionParameters.from_level(1, window_log=18, hash_log=13)

#: Version of a batch's record and frames.  Raise it for changes that older code must not ignore, as it ignores fields.
RECORD_VERSION = 4

#: Ids by kind and outcome.
Changed = dict[Kind, dict[Outcome, list[str]]]


class _Versioned(msgspec.Struct):
    """The version of any record; the oldest records have none."""

    version: int = 0


#: Write plain values as msgpack, which scripts can read.
pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(
    tuple[list[str], bytes, list[str | None] | None, list[int], int, list[Skipped], bytes]
).decode
_unpack_changed = msgspec.msgpack.Decoder(Changed).decode
_encode_batch = msgspec.json.Encoder().encode
_decode_version = msgspec.json.Decoder(_Versioned).decode
_decode_batch = msgspec.json.Decoder(Batch).decode
_decode_origin = msgspec.json.Decoder(Origin).decode
_decode_reasons = msgspec.json.Decoder(dict[int, str]).decode


class _Zstd(threading.local):
    """A compressor and a decompressor per thread: sharing them between threads crashes."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(compression_params=_QUICKLY).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_zstd = _Zstd()


def compress(data: bytes) -> bytes:
    """Compress any data."""
    return _zstd.compress(data)


def decompress(data: bytes) -> bytes:
    """Undo `compress`."""
    return _zstd.decompress(data)


def encode_chunk(chunk: Chunk) -> bytes:
    """Write a chunk's frame."""
    bounds = chunk.bounds.tobytes()
    members = (chunk.ids, bounds, chunk.parents, chunk.superseded, chunk.first, chunk.skipped, chunk.text)
    return _zstd.compress(pack(members))


def decode_chunk(frame: bytes) -> Chunk:
    """Read a chunk's frame."""
    ids, bounds, parents, superseded, first, skipped, text = _unpack(_zstd.decompress(frame))
    return Chunk(text, ids, array("I", bounds), parents, superseded, first, skipped)


def encode_changed(ids: Changed) -> bytes:
    """Write changed ids."""
    return _zstd.compress(pack(ids))


def decode_changed(data: bytes) -> Changed:
    """Read changed ids."""
    return _unpack_changed(_zstd.decompress(data))


def digest_ids(ids: Sequence[str]) -> bytes:
    """Write a digest of each id, 4 bytes; some 0.1 µs each."""
    return struct.pack(f"<{len(ids)}I", *map(crc32, map(str.encode, ids)))


def stamp(now_ms: int) -> bytes:
    """Write the update time that precedes the JSON of a stored entry."""
    return b"%0*d" % (STAMP_DIGITS, now_ms)


def encode_batch(batch: Batch) -> bytes:
    """Write a batch as JSON."""
    return b'{"version":%d,' % RECORD_VERSION + _encode_batch(batch)[1:]


def decode_batch(data: bytes) -> Batch:
    """Read a batch.  Raises RecordTooNew if a newer Sluice wrote it, whatever it looks like."""
    version = _decode_version(data).version
    if version > RECORD_VERSION:
        raise RecordTooNew
    batch = _decode_batch(data)
    # Until version 2 the members of the origin were among those of the batch.
    return batch if version > 2 else replace(batch, origin=_decode_origin(data))


def encode_report(marks: bytes, reasons: dict[int, str]) -> bytes:
    """Write the report of a batch: one outcome byte per entry, then the known reasons by index."""
    return marks + (_encode_batch(reasons) if reasons else b"")


def decode_report(data: bytes, entries: int) -> tuple[bytes, dict[int, str]]:
    """Read the report of a batch of ``entries``; while the batch is applied, it has the first ones."""
    return data[:entries], _decode_reasons(data[entries:]) if len(data) > entries else {}


def encode_json(value: Any) -> bytes:
    """Write any plain value as JSON."""
    return _encode_batch(value)
