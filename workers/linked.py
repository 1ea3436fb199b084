"""What of a variation has to be known beside its id.  Pure."""

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
    """Name the item of a stored variation; None if there is none, or it names none."""
    return None if value is None else _decode_linked(value).item_id


def by_id(variations: msgspec.Raw) -> dict[str, bytes]:
    """Take a JSON list of variations apart; of two with one id the last counts."""
    return {_decode_named(one).id: bytes(one) for one in _decode_list(variations)}
