"""From the body of a write to the chunks of a batch: every byte as it was sent, every entry checked."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from typing import Any

from api.entries import Checked, rules_for, sent_id
from api.errors import Invalid, Problem
from api.json_bodies import read_json
from api.ndjson_bodies import read_ndjson
from api.sent import Sent
from shared.model import Chunk, Form, Kind, OnInvalid, OnMissing, Operation, Skipped

#: Bounds of a chunk: entries, and bytes of text unless one entry alone is longer.
CHUNK_ENTRIES = 1000
CHUNK_BYTES = 2_000_000

#: Problems that one answer lists.
MAX_PROBLEMS = 10_000
#: What is said of an entry that is skipped is cut to this.
SKIPPED_MESSAGE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class CheckedBatch:
    """The entries of a body, and what is wrong with them."""

    sent: Sent
    checked: Checked

    def problems(self) -> list[Problem]:
        """List what is wrong, entry by entry, up to MAX_PROBLEMS."""
        return list(islice(chain.from_iterable(self.checked.problems.values()), MAX_PROBLEMS))

    @property
    def valid(self) -> int:
        """How many entries may be applied."""
        return len(self.sent.entries) - len(self.checked.problems)

    def chunks(self, on_invalid: OnInvalid) -> list[Chunk]:
        """Cut the body into chunks; their texts, joined, are the body.

        The last of several entries with one id supersedes the others, in whichever chunks they are.  Raises Invalid if
        an entry breaks the rules, or, where those are skipped, if all do.
        """
        if self.checked.problems and (on_invalid is OnInvalid.REJECT or not self.valid):
            raise Invalid(*self.problems())
        ids, parents = self.checked.ids, self.checked.parents
        skipped = [self._skip(index, wrong) for index, wrong in self.checked.problems.items()]
        return cut(self.sent.text, self.sent.bounds, ids, parents, skipped)

    def _skip(self, index: int, wrong: list[Problem]) -> Skipped:
        """Leave an entry out: whatever the check took for its id and parent is none."""
        self.checked.ids[index] = ""
        if self.checked.parents is not None:
            self.checked.parents[index] = None
        message = "; ".join(map(str, wrong))[:SKIPPED_MESSAGE_LENGTH]
        return Skipped(index, sent_id(self.sent.entries[index]), message)


def check_batch(
    body: bytes,
    *,
    kind: Kind,
    operation: Operation,
    on_missing: OnMissing = OnMissing.FAIL,
    form: Form = Form.JSON,
    max_entries: int,
) -> CheckedBatch:
    """Read the body of a write and check every entry.

    Raises Invalid, in the contract's words, if it is no body with a list of entries at all.
    """
    name = kind.value
    sent = (read_ndjson if form is Form.NDJSON else read_json)(body, name, max_entries)
    checked = rules_for(kind, operation, on_missing).check(sent.entries, name)
    for index, reason in sent.broken.items():
        checked.problems[index] = [Problem(f"{name}[{index}]", reason)]
    if sent.lines is not None:
        for index, wrong in checked.problems.items():
            checked.problems[index] = [Problem(loc, f"{msg} (line {sent.lines[index]})") for loc, msg in wrong]
    return CheckedBatch(sent, checked)


def parse_batch(body: bytes, **how: Any) -> list[Chunk]:
    """Check the body of a write, as `check_batch`, and cut it into chunks; raises Invalid with all that is wrong."""
    return check_batch(body, **how).chunks(OnInvalid.REJECT)


def cut(
    text: bytes,
    bounds: array[int],
    ids: list[str],
    parents: list[str | None] | None,
    skipped: Sequence[Skipped] = (),
    *,
    weights: Sequence[int] | None = None,
) -> list[Chunk]:
    """Cut a text into chunks at the starts of entries, given where its entries lie and whose they are.

    ``skipped`` are by their index in the whole; their ids are empty, which no other can be.  ``weights`` say how many
    of CHUNK_ENTRIES an entry counts for, if not one.
    """
    counted = range(1, len(ids) + 1) if weights is None else list(accumulate(weights))
    superseded = find_superseded(ids)
    if (not ids or counted[-1] <= CHUNK_ENTRIES) and len(text) <= CHUNK_BYTES:
        return [Chunk(text, ids, bounds, parents, superseded, skipped=list(skipped))]
    chunks = []
    # A chunk reaches from its first entry, or the start of the text, to the first entry of the next, or the end.
    ends = [*bounds[2::2], len(text)]
    first = start = 0
    while first < len(ids):
        most = bisect_right(counted, CHUNK_ENTRIES + (counted[first - 1] if first else 0), first)
        fitting = bisect_right(ends, start + CHUNK_BYTES, first, most)
        stop = max(fitting, first + 1)
        here = slice(first, stop)
        chunks.append(
            Chunk(
                text[start : ends[stop - 1]],
                ids[here],
                array("I", [bound - start for bound in bounds[2 * first : 2 * stop]]),
                None if parents is None else parents[here],
                [index - first for index in superseded[slice(*_within(superseded, here))]],
                first,
                [one._replace(at=one.at - first) for one in skipped if first <= one.at < stop],
            )
        )
        first, start = stop, ends[stop - 1]
    return chunks


def _within(indexes: list[int], here: slice) -> tuple[int, int]:
    return bisect_right(indexes, here.start - 1), bisect_right(indexes, here.stop - 1)


def find_superseded(ids: list[str]) -> list[int]:
    """List the indexes of entries that a later one of the same id replaces."""
    if len(set(ids)) == len(ids):
        return []
    last = {id_: index for index, id_ in enumerate(ids)}
    return [index for index, id_ in enumerate(ids) if last[id_] != index and id_]
