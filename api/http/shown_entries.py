"""How a stored entry is shown."""

from __future__ import annotations

import msgspec

from shared.catalog.pages import StoredEntry
from shared.clock import iso


def shown(entry: StoredEntry) -> bytes:
    """Show an entry as it was sent, with an empty ``data`` if it has none, and when it last changed."""
    data = b"" if _with_data(entry.body).data else b',"data":{}'
    return b'%s%s,"updated_at":"%s"}' % (entry.body[:-1].rstrip(), data, iso(entry.updated_ms).encode())


class _WithData(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw()


_with_data = msgspec.json.Decoder(_WithData).decode
