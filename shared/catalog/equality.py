"""Compare JSON as it is written: white space and the order of members do not count, everything else does.

Numbers and texts are compared by the characters they are written with: `1` is not `1.0`, and `"é"` is not `"\\u00e9"`.
So whoever reads an unchanged entry finds in it what was sent.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import repeat
from operator import sub

import msgspec
from stringzilla import bytesum

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode

_SPACE = 32
#: White space other than spaces; the texts of JSON have none of it inside.
_BREAKS = b"\n\r\t"
#: So many pairs show whether a feed changes nearly everything.
_FIRST = 8


def same(one: bytes, other: bytes) -> bool:
    """Return whether two JSON texts are equal."""
    return same_each([one], [other])[0]


def same_each(ones: Sequence[bytes], others: Sequence[bytes], *, lead: int = 0) -> list[bool]:
    """Compare two lists of JSON texts, pair by pair; a third of a microsecond for each pair that differs.

    ``lead``: so many digits before each of the first texts do not count.
    """
    # Loops in C where there can be: most feeds change nearly everything, or nearly nothing.
    if any(map(bytes.endswith, ones[:_FIRST], others)):
        ends = list(map(bytes.endswith, ones, others))
        equal = [each and len(one) == lead + len(other) for each, one, other in zip(ends, ones, others, strict=True)]
    else:
        equal = [False] * len(ones)
    for i in [] if all(equal) else _maybe(ones, others, lead):
        if not equal[i]:
            one, other = ones[i][lead:], others[i]
            equal[i] = one == other or (_have_same_bytes(one, other) and _normal(one) == _normal(other))
    return equal


def _maybe(ones: Sequence[bytes], others: Sequence[bytes], lead: int) -> Sequence[int]:
    """List the pairs that may be equal: a few, and more where there are breaks.

    Equal texts have the same bytes in another order, but for white space; each space adds 32 to the sum of the bytes.
    """
    if _have_breaks(ones) or _have_breaks(others):
        return range(len(ones))
    differences = map(sub, map(bytesum, ones), map(bytesum, others))
    first = ones[0][:lead]
    if all(map(bytes.startswith, ones, repeat(first))):
        rest = bytesum(first) % _SPACE
        return [i for i, difference in enumerate(differences) if difference % _SPACE == rest]
    leads = map(bytesum, [one[:lead] for one in ones])
    return [i for i, difference in enumerate(map(sub, differences, leads)) if not difference % _SPACE]


def _have_breaks(texts: Sequence[bytes]) -> bool:
    together = b"".join(texts)
    return b"\n" in together or b"\r" in together or b"\t" in together


def _have_same_bytes(one: bytes, other: bytes) -> bool:
    """Return whether two texts have the same bytes but for white space, as far as sums tell."""
    one, other = (text.translate(None, _BREAKS + b" ") for text in (one, other))
    return len(one) == len(other) and bytesum(one) == bytesum(other)


def _normal(text: bytes) -> Hashable:
    match text[:1]:
        case b"{":
            return frozenset((name, _normal(bytes(value))) for name, value in _decode_object(text).items())
        case b"[":
            return tuple(_normal(bytes(value)) for value in _decode_list(text))
        case _:
            return text
