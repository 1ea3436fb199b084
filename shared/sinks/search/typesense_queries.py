"""The filters and paths by which documents in Typesense are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from urllib.parse import quote

#: Ids named in one filter.
FILTER_IDS = 50
#: Ids that a filter can name as they are.
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,60}", re.ASCII)


def filters(ids: Sequence[str], field: str = "id:") -> Iterator[str]:
    """Write values that a filter can name as filters of a field, for a query."""
    plain = [entry_id for entry_id in ids if _PLAIN.fullmatch(entry_id)]
    for _, part in groupby(enumerate(plain), lambda each: each[0] // FILTER_IDS):
        yield quote(f"{field}[{','.join(entry_id for _, entry_id in part)}]", safe="")


def others(ids: Sequence[str]) -> Iterator[str]:
    """Go through the ids that a filter cannot name."""
    return (entry_id for entry_id in ids if not _PLAIN.fullmatch(entry_id))


def path(place: str, entry_id: str) -> str:
    """Name a document; none that is named so consists of dots, which a path would lose."""
    return f"/collections/{place}/documents/{quote(entry_id, safe='')}"
