"""Read the links of variations to their items.  Pure."""

from __future__ import annotations

import msgspec


class _Linked(msgspec.Struct):
    item_id: str | None = None


class _Named(msgspec.Struct):
    id: str


_decode_linked = msgspec.json.Decoder(_Linked).decode
_decode_named = msgspec.json.Decoder(_Named).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def parent_of(value: bytes | None) -> str | None:
    """Return the item id of a stored variation; None if there is no variation, or it names no item."""
    return None if value is None else _decode_linked(value).item_id


def by_id(variations: msgspec.Raw) -> dict[str, bytes]:
    """Parse a JSON list of variations; of two with the same id the last one wins."""
    return {_decode_named(one).id: bytes(one) for one in _decode_list(variations)}
