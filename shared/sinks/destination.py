"""What a destination has to do: the whole interface between the delivery and a database or search engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib import import_module
from importlib.metadata import entry_points
from typing import NamedTuple, Protocol

from shared.errors import SluiceError, TryAgain
from shared.model import Kind
from shared.sinks.mapping import Document
from shared.sinks.mapping import Mapping as SinkMapping
from shared.sinks.sinks import BadSink, Sink
from shared.store.positions import Position

#: Longest a destination may take for one call of a delivery, seconds.
CALL_S = 30.0


class DestinationAway(TryAgain):
    """The destination cannot be reached, or not now; nothing of the delivery is there."""


class DestinationRefuses(SluiceError):
    """The destination cannot take deliveries until a person changes something; the text says what."""


class Superseded(SluiceError):
    """The destination is at another position, or somebody else delivers to it: nothing was changed."""


class TooMuchAtOnce(SluiceError):
    """A change has several entries, and too much has to be read and written with them; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a copy of the catalogue is."""

    #: It has all changes up to this task.
    position: Position
    #: It may have changes up to this task.
    reach: int

    @property
    def exact(self) -> bool:
        """Whether it is the catalogue just after the task of its position."""
        return self.reach <= self.position.task_id and not self.position.is_inside


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the catalogue in the destination: the one that readers see, or the next one."""

    mark: Mark
    #: What it is made from, see `Sink.version`.
    version: str
    #: Of the next copy: where its reading goes on; '' once all has been read.
    cursor: str = ""

    def at(self, mark: Mark) -> Copy:
        return replace(self, mark=mark)


class Which(StrEnum):
    """One of the copies."""

    LIVE = "live"
    NEXT = "next"
    #: The one that was live before.
    OLD = "old"


class Copies(NamedTuple):
    """The copies that a destination has."""

    live: Copy | None
    next: Copy | None
    #: The one that was live before, if it was made from something else.
    old: Copy | None = None
    #: Seconds since it was replaced.
    old_age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class CopyChange:
    """A change of a copy: all of it or nothing, and only if the copy is as it was."""

    which: Which
    before: Copy
    after: Copy
    documents: Mapping[Kind, Sequence[Document]] = field(default_factory=dict)
    gone: Mapping[Kind, Sequence[str]] = field(default_factory=dict)

    @property
    def entries(self) -> int:
        """How many entries change."""
        return sum(map(len, self.documents.values())) + sum(map(len, self.gone.values()))


class DeadLetter(NamedTuple):
    """An entry that the destination cannot hold; it has no row."""

    kind: Kind
    id: str
    reason: str


class Differences(NamedTuple):
    """The ids by which a range of the live copy differs from what it should be."""

    missing: list[str]
    extra: list[str]
    stale: list[str]


class Destination(Protocol):
    """A destination of one sink.

    Each call raises DestinationAway if it may work later, DestinationRefuses if a person has to do something, and
    Superseded if another has taken over since `take_over`.
    """

    def take_over(self, owner: str) -> Copies:
        """Become the one who delivers: from now on no delivery of any other takes effect."""

    def look(self) -> Copies:
        """Return what is there, without becoming the one who delivers."""

    def start_next(self, copy: Copy) -> None:
        """Begin an empty copy beside the live one, in place of any that was begun."""

    def drop_next(self) -> None:
        """Remove what is left of a copy that is not wanted any more."""

    def deliver(self, change: CopyChange) -> list[DeadLetter]:
        """Change a copy, once; what cannot be held is left out and returned.

        Raises TooMuchAtOnce, but never for a single entry.
        """

    def switch(self, copy: Copy) -> None:
        """Make the next copy, which is as given, the live one, at once and whole.

        The one before is removed if it has the same version; if not, it is kept in place of the old one.
        """

    def undo(self, copy: Copy) -> None:
        """Make the old copy, which is as given, the live one, at once and whole, and keep the live one as the old."""

    def drop_old(self) -> None:
        """Remove the old copy, if there is one."""

    def compare(self, mark: Mark, kind: Kind, documents: Sequence[Document], after: str, until: str) -> Differences:
        """Compare the live copy's ids behind ``after`` up to ``until`` ('' for the end) with what should be there.

        Raises Superseded if the copy is at another mark.
        """

    def close(self) -> None:
        """Give up the connection."""


_POSTGRES = ("shared.sinks.postgres.destination_postgres", "postgres")
_OPENSEARCH = ("shared.sinks.search.opensearch", "opensearch")
_FILES = ("shared.sinks.file_engine", "")
_TYPESENSE = ("shared.sinks.search.typesense", "typesense")

#: Scheme of a URL: the module that opens it, see `DestinationModule`, and the extra that it needs.
KNOWN = {
    "postgresql": _POSTGRES,
    "postgres": _POSTGRES,
    "opensearch+https": _OPENSEARCH,
    "opensearch+http": _OPENSEARCH,
    "elasticsearch+https": _OPENSEARCH,
    "elasticsearch+http": _OPENSEARCH,
    "typesense+https": _TYPESENSE,
    "typesense+http": _TYPESENSE,
    # In front of any scheme of fsspec, such as files+s3.
    "files+…": _FILES,
}
#: Entry points by which other packages add to these: the scheme, and the module.
ENTRY_POINTS = "sluice.destinations"


class DestinationModule(Protocol):
    """What the module of a destination has."""

    #: Open a sink's destination, called with ``(sink, catalog_key, timeout_s=…)``; ``timeout_s`` bounds each call.
    connect: Callable[..., Destination]
    #: Raise BadSink unless there may be a sink of this URL and mapping; called with ``(url, mapping)``.
    check_sink: Callable[[str, SinkMapping], None]


def connect(sink: Sink, catalog_key: str, *, timeout_s: float) -> Destination:
    """Open a sink's destination; ``timeout_s`` bounds each call.  Raises BadSink, DestinationAway."""
    return _module(sink.url).connect(sink, catalog_key, timeout_s=timeout_s)


def check_sink(url: str, mapping: SinkMapping) -> None:
    """Raise BadSink unless there is a destination for such a URL and mapping, and it is installed."""
    _module(url).check_sink(url, mapping)


def _module(url: str) -> DestinationModule:
    scheme = url.partition("://")[0]
    scheme = "files+…" if scheme.startswith("files+") else scheme
    if scheme not in KNOWN:
        for found in entry_points(group=ENTRY_POINTS, name=scheme):
            other: DestinationModule = found.load()
            return other
        raise BadSink(f"a URL of a sink begins with {', '.join(name + '://' for name in KNOWN)}")
    name, extra = KNOWN[scheme]
    try:
        return import_module(name)
    except ImportError as problem:
        raise BadSink(f"{problem.name} is not installed here: pip install 'sluice[{extra}]'") from None
