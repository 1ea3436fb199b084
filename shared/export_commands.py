"""The call that counts a piece of an export."""

from __future__ import annotations

from shared import scripts
from shared.keys import CatalogKeys
from shared.settings import Settings
from shared.steps import Piece

#: How long the files of an export are kept, and its URL is good.
KEPT_MS = 3 * 24 * 3600 * 1000


def piece_command(
    keys: CatalogKeys, settings: Settings, token: str, piece: Piece, *, now_ms: int, more: int
) -> scripts.Command:
    """Write the call for the owner of a partition; calling again after a lost answer changes nothing."""
    task_id = piece.work.task_id
    return scripts.KEEP_PIECE.command(
        (*keys.partition, keys.pieces(task_id), keys.export_files),
        (
            token, task_id, piece.number, piece.name, piece.entries, piece.bytes, piece.cursor,
            now_ms + KEPT_MS if not piece.cursor else "", now_ms, int(settings.lease_ttl_s * 1000), more,
            settings.payload_bytes,
        ),
    )  # fmt: skip
