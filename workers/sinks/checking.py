"""Compare sinks with their catalogues all the time, a little after each turn: what differs becomes a metric."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from shared.codec import encode_json
from shared.model import Kind
from shared.sinks.destination import Destination
from shared.sinks.sink_lease import SinkState
from shared.sinks.sinks import Sink
from shared.sinks.verify import NotSettled, Verification
from shared.store.client import Store

#: How long after a step the next one is due: 10,000 entries a minute at most.
STEP_MS = 60_000
#: Pages of one step.
STEP_PAGES = 20
#: How long after all was compared it is compared again.
REST_MS = 3_600_000


class CheckCursor(msgspec.Struct, array_like=True, frozen=True):
    """Where the comparison goes on."""

    version: str
    #: Index of the kind.
    kind: int = 0
    after: str = ""
    #: Entries that differ so far.
    wrong: int = 0


class CheckedSoFar(msgspec.Struct, frozen=True):
    """What is recorded after a step."""

    cursor: str
    #: Of all entries; None if some are still to be compared.
    wrong: int | None = None


_decode = msgspec.json.Decoder(CheckCursor).decode


def is_due(state: SinkState, now_ms: int) -> bool:
    """Return whether a sink is compared now."""
    return now_ms - state.check_ms >= STEP_MS and (state.check != "" or now_ms - state.checked_ms >= REST_MS)


def check_step(
    client: Store,
    catalog_key: str,
    sink: Sink,
    destination: Destination,
    cursor: str,
    dead: Collection[tuple[Kind, str]],
    hold: Callable[[], None],
    *,
    pages: int = STEP_PAGES,
) -> CheckedSoFar:
    """Compare some pages; where the destination is not at the catalogue's task just now, fewer.

    Raises what ``hold``, `Destination` and the store raise.
    """
    at, kinds = _decode(cursor) if cursor else CheckCursor(sink.version), sink.mapping.kinds
    if at.version != sink.version:
        at = CheckCursor(sink.version)
    verification = Verification(client, catalog_key, sink, destination, dead=dead, settled_s=0)
    for _ in range(pages):
        hold()
        try:
            found = verification.page(kinds[at.kind], at.after)
        except NotSettled:
            break
        wrong = at.wrong + sum(map(len, found.differences))
        at = CheckCursor(at.version, at.kind, found.next_after, wrong)
        if not found.next_after:
            at = CheckCursor(at.version, at.kind + 1, "", wrong)
        if at.kind == len(kinds):
            return CheckedSoFar("", at.wrong)
    return CheckedSoFar(encode_json(at).decode())
