"""How long what is stored may be."""

from __future__ import annotations

from shared.model import Kind

#: Bytes of JSON that `data` of an item or a variation may have, as sent and as stored.
DATA_MAX_BYTES = 200_000
#: The same, of an item group.
GROUP_DATA_MAX_BYTES = 5_000
#: Most warnings of one chunk of a batch; the report has an outcome for every entry anyway.
WARNINGS_PER_CHUNK = 100


def max_data_bytes(kind: Kind) -> int:
    """Tell how long `data` of an entry of a kind may be."""
    return GROUP_DATA_MAX_BYTES if kind is Kind.ITEM_GROUPS else DATA_MAX_BYTES
