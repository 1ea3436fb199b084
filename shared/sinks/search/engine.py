"""What a search engine has to do to be a destination; `LedgerDestination` does the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from shared.catalog.pages import StoredEntry
from shared.model import Kind
from shared.sinks.destination import DeadLetter
from shared.sinks.mapping import Document


class Engine(Protocol):
    """A search engine: places with documents, names for readers that lead to them, and a ledger.

    A place is an index or a collection; its name is used once and never again.  Each call raises DestinationAway if it
    may work later, DestinationRefuses if a person has to do something, and Superseded as said below.
    """

    #: Whether `save` compares: then a gate is changed only where a writer was lost in the middle of a change.
    compares: bool

    def limit(self, seconds: float) -> contextlib.AbstractContextManager[None]:
        """Bound all calls made inside."""

    def load(self) -> tuple[bytes, Any] | None:
        """Read the ledger, and a tag of this version of it."""

    def save(self, ledger: bytes, tag: Any) -> Any:
        """Write the ledger in place of the version with this tag (None: there is none); returns the new tag.

        Raises Superseded if another has written it.
        """

    def fence(self, gate: str, number: int, places: Sequence[str], confirm: Callable[[], None]) -> str:
        """Close the gate, so that from now on no write that names it has any effect, and return a new one.

        ``confirm`` raises Superseded if another has taken over.  An engine that compares calls it once it knows which
        gate there is, and replaces no other than that: so it never closes the gate of a successor.
        """

    def create(self, place: str, kind: Kind, gate: str) -> None:
        """Create an empty place."""

    def has(self, place: str) -> bool:
        """Whether a place is there."""

    def drop(self, place: str) -> None:
        """Remove a place, if it is there."""

    def led_to(self, name: str) -> list[str]:
        """List the places that a name of readers leads to; itself, if it is no such name but a place."""

    def point(self, names: Mapping[str, str | None], led: Mapping[str, Sequence[str]], gate: str, number: int) -> str:
        """Have names lead to other places, at once if the engine can, or nowhere; returns the gate.

        ``led`` is what they led to, and nothing else may go.  Raises Superseded if the gate is closed.
        """

    def write(
        self, place: str, gate: str, number: int, kind: Kind, documents: Sequence[Document], gone: Sequence[str]
    ) -> list[DeadLetter]:
        """Write and delete documents, again where the engine is busy; returns those that it refuses.

        Changes nothing that has a higher number, if the engine keeps numbers.  Raises Superseded if the gate is closed.
        """

    def find(self, place: str, ids: Sequence[str]) -> Iterable[StoredEntry]:
        """Read entries by id, as they were written last, some at a time.

        Called only if a mapping puts entries into others.
        """

    def find_of(self, place: str, items: Sequence[str]) -> Iterable[StoredEntry]:
        """Read the variations of items so."""

    def wanted(self, kind: Kind, document: Document) -> Any:
        """What `read` should find of a document, without what is put into it (see `comparable`)."""

    def read(self, place: str, ids: Sequence[str], after: str, until: str) -> dict[str, Any]:
        """Read the documents with ids behind ``after`` up to ``until`` ('' for the end).

        ``ids`` are those expected there.
        """

    def close(self) -> None:
        """Give up connections."""
