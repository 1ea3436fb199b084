"""Warnings of a task: likely mistakes that do not make it fail.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from shared.codec import encode_json
from shared.limits import WARNINGS_PER_CHUNK
from shared.model import Batch, Chunk, Outcome


def warning(code: str, message: str, entry_id: str | None, **data: int) -> str:
    """Write a warning as JSON."""
    return encode_json({"code": code, "message": message, "data": {"id": entry_id, **data}}).decode()


def refusals(chunk: Chunk) -> list[str]:
    """Warn of entries that break the rules."""
    return [
        warning("INVALID_ENTRY", skipped.message, skipped.id, index=chunk.first + skipped.at)
        for skipped in chunk.skipped[:WARNINGS_PER_CHUNK]
    ]


def left_out(chunk: Chunk) -> dict[int, Outcome]:
    """Return the outcomes of the entries that are left out."""
    left_out = dict.fromkeys(chunk.superseded, Outcome.IGNORED)
    left_out.update((skipped.at, Outcome.FAILED) for skipped in chunk.skipped)
    return left_out


def orphan(variation_id: str, item_id: str) -> str:
    """Warn of a variation whose item does not exist."""
    return warning("ORPHAN_VARIATION", f"variation {variation_id!r}: its item {item_id!r} does not exist", variation_id)


def not_there(batch: Batch, ids: Sequence[str]) -> list[str]:
    """Warn of entries to keep that do not exist."""
    text = batch.kind.one + " {!r} is to be kept but does not exist"
    return [warning("NOT_FOUND", text.format(entry_id), entry_id) for entry_id in ids[:WARNINGS_PER_CHUNK] if entry_id]


def duplicates(batch: Batch, chunk: Chunk, again: Sequence[str] = ()) -> list[str]:
    """Warn of the entries that a later one of the batch replaces; ``again`` are those that replaced one just now."""
    ids = [chunk.ids[i] for i in chunk.superseded[:WARNINGS_PER_CHUNK]] + list(again[:WARNINGS_PER_CHUNK])
    text = batch.kind.one + " {!r} comes again later in the batch; the last wins"
    return [warning("DUPLICATE_ITEM", text.format(entry_id), entry_id) for entry_id in ids]


def joined(warnings: list[str]) -> str:
    """Join the warnings of a chunk, as effects have them."""
    return ",".join(warnings[:WARNINGS_PER_CHUNK])
