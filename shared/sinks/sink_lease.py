"""The lease of a sink: the right to be the only one who delivers to it, and the record of how far it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from shared.codec import encode_json, pack
from shared.keys import CatalogKeys
from shared.model import Kind
from shared.nonces import new_nonce
from shared.settings import Settings
from shared.sinks.destination import CALL_S, Copy, DeadLetter, Mark
from shared.sinks.sinks import Sink, SinkName
from shared.store.client import Store
from shared.store.positions import Position
from shared.store.scripts import LEASE_SINK, SETTLE_SINK, Command, run, run_apart

#: So many dead letters stop a sink.
MOST_DEAD = 1000
#: Most that are kept: also those of the delivery with which it stops, so that none is forgotten by a retry.
MOST_KEPT_DEAD = MOST_DEAD + 20_000
#: How long dead letters of another copy are kept: longer than the copy, which is dropped a day after it was replaced.
LEFT_TTL_MS = 7 * 24 * 3_600_000
#: How long a job may be on its way before another is sent.
RUNG_MS = 5_000

_decode_sink = msgspec.json.Decoder(Sink).decode


@dataclass(frozen=True, slots=True)
class SinkState:
    """How far a sink is, as its last owner recorded it."""

    #: copying, live, behind or failing.
    phase: str = ""
    #: Of the copy, as `shared.sinks.destination.Copy` has it.
    version: str = ""
    task_id: int = 0
    mark: str = ""
    exact: bool = False
    #: Entries delivered since it was added.
    entries: int = 0
    error: str = ""
    failures: int = 0
    not_before_ms: int = 0
    at_ms: int = 0
    dead: int = 0
    #: The last task that readers see all of; 0 if nobody knows.
    live_task_id: int = 0
    #: As of `Sink.retries`, when dead letters were last delivered again.
    retried: int = 0
    #: Where the permanent comparison goes on, see `workers.sinks.checking`; '' at the beginning.
    check: str = ""
    #: When its last step was.
    check_ms: int = 0
    #: When all was last compared; 0: never.
    checked_ms: int = 0
    #: Entries that differed then.
    wrong: int = 0
    #: Of the position, and of the copy: `Position.pieces`, `Copy.cursor`.
    pieces: int = 0
    cursor: str = ""

    @property
    def copy(self) -> Copy:
        """The copy as it was last recorded, but for its reach."""
        return Copy(Mark(Position(self.task_id, self.mark, self.pieces), self.task_id), self.version, self.cursor)


@dataclass(frozen=True, slots=True)
class SinkFacts:
    """What an owner records; None leaves it as it was."""

    phase: str
    version: str | None = None
    task_id: int | None = None
    mark: str | None = None
    exact: bool | None = None
    error: str = ""
    failures: int = 0
    not_before_ms: int = 0
    at_ms: int | None = None
    live_task_id: int | None = None
    retried: int | None = None
    check: str | None = None
    check_ms: int | None = None
    checked_ms: int | None = None
    wrong: int | None = None
    pieces: int | None = None
    cursor: str | None = None

    def fields(self) -> Iterator[str | int]:
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None:
                yield from (name, int(value) if isinstance(value, bool) else value)


@dataclass(frozen=True, slots=True)
class DeadLetterRecord:
    kind: Kind
    id: str
    reason: str
    task_id: int
    at_ms: int


_decode_letter = msgspec.json.Decoder(DeadLetterRecord).decode


class SinkLease:
    """One worker's lease of one sink.  Every call is one round trip and raises StoreUnavailable."""

    def __init__(self, client: Store, settings: Settings, holder: str, name: SinkName) -> None:
        self._client = client
        self._keys = CatalogKeys(name.catalog_key)
        self._name = name.name
        self._holder = holder
        # It is extended between two calls of the destination, so it must outlast one.
        self.ttl_s = max(settings.lease_ttl_s, CALL_S + 5)
        #: Named by every write, also by those into the destination.
        self.token = new_nonce()

    def hold(self) -> Sink | None:
        """Get the lease or extend it; the sink as it is configured now, or None if another has it or there is none."""
        of = self._keys
        command = LEASE_SINK.command(
            sinks=of.sinks,
            lease=of.sink_lease(self._name),
            rung=of.sink_rung(self._name),
            name=self._name,
            token=self.token,
            holder=self._holder,
            lease_ttl_ms=int(self.ttl_s * 1000),
        )
        [(code, *sink)] = run(self._client, command)
        return _decode_sink(sink[0]) if code == b"HELD" else None

    def settle(
        self,
        facts: SinkFacts | None,
        *,
        release: bool = False,
        cleared: Sequence[tuple[Kind, str]] = (),
        dead: Sequence[DeadLetter] = (),
        delivered: int = 0,
        instead_of: str | None = None,
    ) -> int:
        """Record how far it is, and how many entries were ``delivered``, since the last time.

        A copy that is worked on ``instead_of`` that of a version has dead letters of its own: if it is live, those that
        it had before; none if it was just begun.
        Returns the number of dead letters, or -1 if another owns it now.
        """
        of, letters = self._keys, list[str]()
        for letter in dead:
            task_id, at_ms = (facts.task_id or 0, facts.at_ms or 0) if facts else (0, 0)
            record = DeadLetterRecord(letter.kind, letter.id, letter.reason, task_id, at_ms)
            letters += [f"{letter.kind}:{letter.id}", encode_json(record).decode()]
        command = SETTLE_SINK.command(
            sinks=of.sinks,
            lease=of.sink_lease(self._name),
            state=of.sink_state(self._name),
            dead=of.dead_letters(self._name),
            left=of.other_dead_letters(self._name, instead_of or ""),
            taken=of.other_dead_letters(self._name, (facts and facts.version) or ""),
            name=self._name,
            token=self.token,
            release=int(release),
            change="" if instead_of is None else "BACK" if facts and facts.phase == "live" else "BEGUN",
            before=instead_of or "",
            left_ttl_ms=LEFT_TTL_MS,
            most=MOST_KEPT_DEAD,
            delivered=delivered,
            cleared=pack([f"{kind}:{entry_id}" for kind, entry_id in cleared]),
            letters=pack(letters),
            facts=list(facts.fields()) if facts else [],
        )
        return int(run(self._client, command)[0])


def read_state(client: Store, name: SinkName) -> SinkState:
    """Read how far a sink is."""
    [state] = read_states(client, [name])
    return state


def read_states(client: Store, names: Sequence[SinkName]) -> list[SinkState]:
    """Read how far sinks are, in one round trip for each server."""
    looks: list[Command] = []
    for name in names:
        of = CatalogKeys(name.catalog_key)
        looks += [("HGETALL", of.sink_state(name.name)), ("HLEN", of.dead_letters(name.name))]
    found = run_apart(client, *looks)
    return [_state(told, dead) for told, dead in zip(found[::2], found[1::2], strict=True)]


def _state(found: Mapping[bytes, bytes] | Sequence[bytes], dead: int) -> SinkState:
    values = found if isinstance(found, Mapping) else dict(zip(found[::2], found[1::2], strict=True))
    told = {key.decode(): value.decode() for key, value in values.items()}
    # Texts become numbers by their types; fields that a later version writes are ignored.
    return msgspec.convert({**told, "dead": dead, "exact": told.get("exact") == "1"}, SinkState, strict=False)


def read_dead_letters(client: Store, name: SinkName) -> list[DeadLetterRecord]:
    """List a sink's dead letters, by kind and id."""
    [values] = run(client, ("HVALS", CatalogKeys(name.catalog_key).dead_letters(name.name)))
    return sorted(map(_decode_letter, values), key=lambda letter: (letter.kind, letter.id))


def discard_dead_letters(client: Store, name: SinkName, ids: Collection[str]) -> int:
    """Forget dead letters, of these ids or all; returns how many there were."""
    letters = [letter for letter in read_dead_letters(client, name) if not ids or letter.id in ids]
    if not letters:
        return 0
    key = CatalogKeys(name.catalog_key).dead_letters(name.name)
    [gone] = run(client, ("HDEL", key, *(f"{letter.kind}:{letter.id}" for letter in letters)))
    return int(gone)


class Due(NamedTuple):
    """A sink that nobody delivers to."""

    name: SinkName
    sink: Sink
    state: SinkState


def due_sinks(client: Store, sinks: Mapping[SinkName, Sink], now_ms: int) -> list[Due]:
    """List those of some sinks that nobody delivers to and that do not rest."""
    looks: list[Command] = []
    for name in sinks:
        of = CatalogKeys(name.catalog_key)
        looks += [("EXISTS", of.sink_lease(name.name), of.sink_rung(name.name)), ("HGETALL", of.sink_state(name.name))]
    found = run_apart(client, *looks)
    states = [_state(each, 0) for each in found[1::2]]
    return [
        Due(name, sink, state)
        for (name, sink), busy, state in zip(sinks.items(), found[::2], states, strict=True)
        if not busy and state.not_before_ms <= now_ms
    ]


def mark_rung(client: Store, name: SinkName) -> bool:
    """Note that a job for a sink is on its way; False if one was already."""
    key = CatalogKeys(name.catalog_key).sink_rung(name.name)
    [noted] = run(client, ("SET", key, 1, "NX", "PX", RUNG_MS))
    return noted is not None


#: Opens the lease of a sink.
OpenLease = Callable[[SinkName], SinkLease]
