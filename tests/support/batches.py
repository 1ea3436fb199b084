"""Real bodies as batches and chunks, cut by the definitions in shared.model and nothing else."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from shared.codec import encode_chunk
from shared.model import Batch, Chunk, Kind, OnMissing, Operation

#: An entry as a value, or as the very bytes to send.
Entry = dict[str, Any] | bytes


def entry_bytes(entry: Entry) -> bytes:
    """Write an entry as it is sent."""
    return entry if isinstance(entry, bytes) else json.dumps(entry, ensure_ascii=False).encode()


def make_chunks(entries: Iterable[Entry], *, kind: Kind = Kind.ITEMS, chunk_entries: int = 1000) -> list[Chunk]:
    """Cut the body ``{"<kind>": [entries]}`` into chunks of so many entries."""
    raw = list(map(entry_bytes, entries))
    values = [json.loads(entry) for entry in raw]
    ids = [value["id"] for value in values]
    last = {entry_id: index for index, entry_id in enumerate(ids)}
    chunks = []
    for first in range(0, len(raw), chunk_entries):
        text = b'{"%s": [' % kind.encode() if first == 0 else b""
        bounds = array("I")
        here = range(first, min(first + chunk_entries, len(raw)))
        for index in here:
            bounds.extend((len(text), len(text) + len(raw[index])))
            text += raw[index] + (b"]}" if index == len(raw) - 1 else b", ")
        parents = [values[index].get("item_id") for index in here] if kind is Kind.VARIATIONS else None
        superseded = [index - first for index in here if last[ids[index]] != index]
        chunks.append(Chunk(text, [ids[index] for index in here], bounds, parents, superseded, first))
    return chunks


def make_batch(
    operation: Operation,
    entries: Sequence[Entry],
    *,
    kind: Kind = Kind.ITEMS,
    section: str = "Products",
    on_missing: OnMissing = OnMissing.FAIL,
    force: bool = False,
    chunk_entries: int = 1000,
) -> tuple[Batch, list[bytes]]:
    """Make a batch and the frames of its chunks."""
    chunks = make_chunks(entries, kind=kind, chunk_entries=chunk_entries)
    batch = Batch(
        kind=kind,
        operation=operation,
        section=section,
        entries=sum(map(len, chunks)),
        bytes=sum(len(chunk.text) for chunk in chunks),
        chunks=len(chunks),
        on_missing=on_missing,
        force=force,
    )
    return batch, list(map(encode_chunk, chunks))


def items(*ids: str, **fields: Any) -> list[Entry]:
    """Items to PUT, all alike but for their ids."""
    return [{"id": entry_id, "name": f"Item {entry_id}", **fields} for entry_id in ids]


def variations(item_id: str, *ids: str, **fields: Any) -> list[Entry]:
    """Variations of one item to PUT."""
    return [{"id": entry_id, "item_id": item_id, **fields} for entry_id in ids]


def named(*ids: str) -> list[Entry]:
    """Entries that name ids only, as a DELETE sends them."""
    return [{"id": entry_id} for entry_id in ids]
