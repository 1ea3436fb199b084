"""The sinks of a catalog, as operators configure them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec

from shared import keys
from shared.codec import encode_json
from shared.errors import SluiceError
from shared.keys import CatalogKeys
from shared.nonces import new_nonce
from shared.sinks.mapping import DEFAULT, Mapping
from shared.store.client import Store
from shared.store.members import write_member
from shared.store.scripts import run, run_apart

#: Most sinks of one catalog.
MOST = 10
#: Catalogs read at a time.
PAGE = 100
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
URL_LENGTH = 2000
#: Earlier copies of which it is known what they were made from.
PAST = 3


class BadSink(SluiceError):
    """The sink cannot be created or found; the text says why."""


class MadeFrom(NamedTuple):
    """What a copy is made from."""

    mapping: Mapping
    #: As of `Sink.resyncs`.
    resyncs: int


@dataclass(frozen=True, slots=True)
class Sink:
    """One destination of one section of a catalog."""

    #: Of this configuration: one that is removed and added again has another.
    id: str
    #: Also the name of its table.
    name: str
    #: May have a password: not for lists and logs.
    url: str
    section: str
    created_ms: int
    mapping: Mapping = DEFAULT
    paused: bool = False
    #: It replaces a table that another sink left.
    take_over: bool = False
    #: A task's index is built only once it is delivered here.
    required: bool = False
    #: How often an operator asked for a new copy.
    resyncs: int = 0
    #: How often an operator asked to deliver the dead letters again.
    retries: int = 0
    #: What earlier copies were made from, the last first.
    past: tuple[MadeFrom, ...] = ()

    @property
    def version(self) -> str:
        """Name what the destination's tables are made from: another one means a new copy."""
        return self.version_of(MadeFrom(self.mapping, self.resyncs))

    def version_of(self, made: MadeFrom) -> str:
        """Name it for a copy made from something else."""
        return f"{made.mapping.digest}-{self.id}-{made.resyncs}"

    def anew(self, mapping: Mapping) -> Sink:
        """The same with another copy."""
        # More than all before, also than one that was undone.
        resyncs = 1 + max(self.resyncs, *(made.resyncs for made in self.past), 0)
        return self._made_from(MadeFrom(mapping, resyncs))

    def back_to(self, version: str) -> Sink:
        """The same with an earlier copy.  Raises BadSink if nobody knows what that was made from."""
        for made in self.past:
            if self.version_of(made) == version:
                return self._made_from(made)
        raise BadSink(f"nobody knows any more what the copy before was made from: sluice sinks resync {self.name}")

    def _made_from(self, made: MadeFrom) -> Sink:
        past = MadeFrom(self.mapping, self.resyncs), *(each for each in self.past if each != made)
        return replace(self, mapping=made.mapping, resyncs=made.resyncs, past=past[:PAST])

    @property
    def shown_url(self) -> str:
        """The URL without what may be secret."""
        head, _, parameters = self.url.partition("?")
        if "@" in parameters:
            # Either the password has a ? in it or a parameter has an @: nobody knows where the host begins.
            return f"{head.partition('://')[0]}://***"
        return re.sub(r"//.*@", "//***@", head)


_decode = msgspec.json.Decoder(Sink).decode


class SinkName(NamedTuple):
    """A sink among those of all catalogs."""

    catalog_key: str
    name: str


class Sinks:
    """The sinks of one catalog.  Every call raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._catalog_key = catalog_key
        self._keys = CatalogKeys(catalog_key)

    def all(self) -> list[Sink]:
        """List them by name."""
        [values] = run(self._client, ("HVALS", self._keys.sinks))
        return sorted(map(_decode, values), key=lambda sink: sink.name)

    def get(self, name: str) -> Sink:
        """Return a sink.  Raises BadSink if there is none of that name."""
        return _decode(self._read(name))

    def add(
        self,
        name: str,
        url: str,
        *,
        section: str,
        mapping: Mapping,
        now_ms: int,
        take_over: bool = False,
        required: bool = False,
    ) -> Sink:
        """Create a sink.  Raises BadSink."""
        if not NAME.fullmatch(name):
            raise BadSink("a name has 1 to 40 characters of a-z 0-9 _ and begins with a letter")
        if len(url) > URL_LENGTH:
            raise BadSink(f"a URL has at most {URL_LENGTH} characters")
        if len(self.all()) >= MOST:
            raise BadSink(f"a catalog may have at most {MOST} sinks")
        sink = Sink(new_nonce(), name, url, section, now_ms, mapping, take_over=take_over, required=required)
        mark = ("ZADD", keys.SINKS, "NX", now_ms, self._catalog_key)
        _, added, _ = run(self._client, mark, ("HSETNX", self._keys.sinks, name, encode_json(sink)), mark)
        # A call that was sent again finds its own.
        if not added and self.get(name).id != sink.id:
            raise BadSink(f"{self._catalog_key} has a sink {name!r} already")
        return sink

    def pause(self, name: str) -> None:
        """Stop delivering, until it is resumed.  Raises BadSink."""
        self._change(name, lambda sink: replace(sink, paused=True))

    def resume(self, name: str) -> None:
        """Deliver again, and at once if it failed.  Raises BadSink."""
        self._change(name, lambda sink: replace(sink, paused=False))

    def resync(self, name: str) -> None:
        """Have the whole catalogue copied anew.  Raises BadSink."""
        self._change(name, lambda sink: sink.anew(sink.mapping))

    def retry(self, name: str) -> None:
        """Have the dead letters delivered again, as the entries are now.  Raises BadSink."""
        self._change(name, lambda sink: replace(sink, retries=sink.retries + 1))

    def remap(self, name: str, mapping: Mapping) -> None:
        """Give a sink another mapping: the whole catalogue is copied anew.  Raises BadSink."""
        # Also if it has this mapping already.
        self._change(name, lambda sink: sink.anew(mapping))

    def undo(self, name: str, version: str) -> None:
        """Have an earlier copy, of this version, live again.  Raises BadSink."""
        self._change(name, lambda sink: sink.back_to(version))

    def remove(self, name: str) -> None:
        """Remove a sink; its tables stay.  Raises BadSink."""
        self.get(name)
        of = self._keys
        *_, left = run(
            self._client,
            ("HDEL", of.sinks, name),
            ("DEL", of.sink_lease(name), of.sink_rung(name), of.sink_state(name), of.dead_letters(name)),
            ("HLEN", of.sinks),
        )
        if not left:
            _, left = run(self._client, ("ZREM", keys.SINKS, self._catalog_key), ("HLEN", of.sinks))
            if left:  # one was added meanwhile
                run(self._client, ("ZADD", keys.SINKS, "NX", 0, self._catalog_key))

    def _change(self, name: str, change: Callable[[Sink], Sink]) -> None:
        """Write a sink in place of the one that was read; another's change in between is kept."""
        written = b""
        while True:
            was = self._read(name)
            # A call that was sent again finds what it wrote.
            if was == written:
                return
            written = encode_json(change(_decode(was)))
            (code, _), _ = run(
                self._client,
                write_member(self._keys, self._keys.sinks, name, written, most=MOST, was=was, idempotency=None),
                # Whatever it rested for may be over.
                ("HDEL", self._keys.sink_state(name), "not_before_ms"),
            )
            if code == b"WRITTEN":
                return

    def _read(self, name: str) -> bytes:
        [value] = run(self._client, ("HGET", self._keys.sinks, name))
        if value is None:
            raise BadSink(f"{self._catalog_key} has no sink {name!r}")
        return bytes(value)


def all_sinks(client: Store) -> Iterator[tuple[SinkName, Sink]]:
    """Go through the sinks of all catalogs.  Raises StoreUnavailable."""
    skip, catalog_keys = 0, [b""]
    while catalog_keys:
        [catalog_keys] = run(client, ("ZRANGE", keys.SINKS, skip, skip + PAGE - 1))
        found = run_apart(client, *(("HVALS", CatalogKeys(key.decode()).sinks) for key in catalog_keys))
        yield from _named(catalog_keys, found)
        skip += PAGE


def _named(catalog_keys: Sequence[bytes], found: Sequence[Sequence[bytes]]) -> Iterator[tuple[SinkName, Sink]]:
    for key, values in zip(catalog_keys, found, strict=True):
        for sink in map(_decode, values):
            yield SinkName(key.decode(), sink.name), sink
