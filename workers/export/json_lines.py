"""Write entries as lines of JSON, as they are stored."""

from __future__ import annotations

from collections.abc import Iterable

#: Entries are stored as sent, possibly over many lines; JSON strings have no raw line ends.
ON_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class JsonLines:
    """A file with one entry per line."""

    head = b""

    def rows(self, bodies: Iterable[bytes]) -> bytes:
        return b"".join(body.translate(ON_ONE_LINE) + b"\n" for body in bodies)
