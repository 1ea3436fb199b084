"""A consumer that copies a catalogue as the docs say: reads it once, then follows its changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

#: Entries fetched in one go.
FETCH = 500
#: The section that is copied.
SECTION = "Products"


class Answered(Protocol):
    """What of an answer is looked at."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


class Get(Protocol):
    """Asks for a path, and returns the answer with its JSON."""

    def __call__(self, path: str, **query: Any) -> tuple[Answered, Any]: ...


@dataclass
class Follower:
    """A copy of one section and of the item groups."""

    get: Get
    page_size: int = 100
    kinds: tuple[str, ...] = ("items", "variations", "item_groups")
    #: Takes the entries out of the feed itself, instead of fetching them.
    with_bodies: bool = False
    #: Is told the position after each page.
    keep: Callable[[str], object] = str
    position: str = ""
    #: Kind → id → entry.
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Whether the store may have lost its last second when it was started anew.
    may_have_lost: bool = False
    #: How often everything was read.
    walks: int = 0

    def walk(self, kind: str) -> Iterator[dict[str, Any]]:
        """Read all entries of a kind, page by page; the first page of all tells from where to follow."""
        query: dict[str, Any] = {"num_results_per_page": self.page_size}
        while True:
            answer, page = self.get(f"/v2/{kind}", **query)
            assert answer.status_code == 200, page
            self.position = self.position or answer.headers["X-Changes-After"]
            yield from page[kind]
            if "next_page_cursor" not in page:
                return
            query["next_page_cursor"] = page["next_page_cursor"]

    def read_all(self) -> None:
        """Read the whole catalogue anew."""
        self.position, self.walks = "", self.walks + 1
        self.entries = {kind: {entry["id"]: entry for entry in self.walk(kind)} for kind in self.kinds}

    def follow(self) -> None:
        """Take over what has changed by now; read everything again if the feed says so."""
        more = True
        while more:
            query = {"include": "entries"} if self.with_bodies else {}
            answer, page = self.get("/v1/changes", after=self.position, **query)
            if answer.status_code == 410:
                self.read_all()
                continue
            assert answer.status_code == 200, page
            if page["restarted"] and self.may_have_lost:
                self.read_all()
                continue
            for change in page["changes"]:
                if change["kind"] not in self.kinds or change["section"] not in (None, SECTION):
                    continue
                if self.with_bodies:
                    self._take(change["kind"], change["entries"])
                else:
                    self._fetch(change["kind"], [entry["id"] for entry in change["entries"]])
            self.position, more = str(page["next_after"]), page["more"]
            self.keep(self.position)

    def _take(self, kind: str, changed: list[dict[str, Any]]) -> None:
        for entry in changed:
            self.entries[kind].pop(entry["id"], None)
            if entry["entry"] is not None:
                self.entries[kind][entry["id"]] = entry["entry"]

    def _fetch(self, kind: str, ids: list[str]) -> None:
        size = 100 if kind == "item_groups" else FETCH
        for first in range(0, len(ids), size):
            some = ids[first : first + size]
            answer, page = self.get(f"/v2/{kind}", id=some, num_results_per_page=size)
            assert answer.status_code == 200, page
            found = {entry["id"]: entry for entry in page[kind]}
            for entry_id in some:
                self.entries[kind].pop(entry_id, None)
            self.entries[kind] |= found
