"""The query parameter by which a request waits."""

from __future__ import annotations

from typing import Any

from api.schemas.query_fields import QueryInteger
from api.waiters import MAX_WAIT_S, UntilIndexed

#: The value that waits for the sinks, too.
INDEXED = "indexed"


class QueryWait(QueryInteger):
    """Seconds to wait, or ``indexed``: as long as possible, also for the sinks."""

    def _validated(self, value: Any) -> int:
        # To a client that is made from the document 5.0 is an integer, as in JSON.
        return UntilIndexed(MAX_WAIT_S) if value == INDEXED else super()._validated(value.removesuffix(".0"))
