"""Read what OpenSearch answers to searches: a part of an answer is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from shared.catalog.pages import StoredEntry
from shared.sinks.destination import DestinationAway


class _Shards(msgspec.Struct):
    failed: int = 0


class _Source(msgspec.Struct):
    """What of a document is an entry; numbers in the body stay as they are spelled."""

    id: str
    updated_at: str
    body: msgspec.Raw


class _Hit(msgspec.Struct):
    source: _Source | None = msgspec.field(name="_source", default=None)
    error: Any = None


class _Hits(msgspec.Struct):
    hits: list[_Hit]


class _Search(msgspec.Struct):
    hits: _Hits
    timed_out: bool = False
    shards: _Shards = msgspec.field(name="_shards", default_factory=_Shards)


class _Many(msgspec.Struct):
    docs: list[_Hit]


_decode_search = msgspec.json.Decoder(_Search).decode
_decode_many = msgspec.json.Decoder(_Many).decode


def check_whole(answer: Mapping[str, Any]) -> None:
    """Raise DestinationAway if only some shards answered, or in time: what the others hold would seem to be gone."""
    _check_whole(answer.get("_shards", {}).get("failed", 0), timed_out=answer.get("timed_out", False))


def entries_found(answer: bytes) -> list[StoredEntry]:
    """Read the answer of a search as entries.  Raises DestinationAway if it is only a part."""
    found = _decode_search(answer)
    _check_whole(found.shards.failed, timed_out=found.timed_out)
    return list(_entries(found.hits.hits))


def entries_got(answer: bytes) -> list[StoredEntry]:
    """Read the answer to a request for several documents as entries, without those that are not there.

    Raises DestinationAway if it is not known of one whether it is there.
    """
    found = _decode_many(answer).docs
    for one in found:
        if one.error is not None:
            raise DestinationAway(f"the search engine could not read a document: {str(one.error)[:300]}")
    return list(_entries(found))


def _check_whole(failed: int, *, timed_out: bool) -> None:
    if failed:
        raise DestinationAway(f"{failed} shards of the search engine failed")
    if timed_out:
        raise DestinationAway("a search was cut off in the search engine, which took too long")


def _entries(hits: Iterable[_Hit]) -> Iterator[StoredEntry]:
    for hit in hits:
        if (one := hit.source) is not None:
            moment = datetime.fromisoformat(one.updated_at)
            yield StoredEntry(one.id, int(moment.timestamp() * 1000), bytes(one.body))
