"""Check every entry of a body and cut the body into chunks, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from api.entries.chunks import cut_into_chunks
from api.entries.json_body import read_json
from api.entries.ndjson_body import read_ndjson
from api.entries.parsed_body import ParsedBody
from api.entries.rules import Checked, rules_for, sent_id
from api.errors import Invalid, Problem
from shared.model import Chunk, Form, Kind, OnInvalid, OnMissing, Operation, Skipped

#: Most problems in one response.
MAX_PROBLEMS = 10_000
#: Most characters of the message about a skipped entry.
SKIPPED_MESSAGE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class CheckedBatch:
    """The entries of a body, with their problems."""

    sent: ParsedBody
    checked: Checked

    def problems(self) -> list[Problem]:
        """List the problems, entry by entry, up to MAX_PROBLEMS."""
        return list(islice(chain.from_iterable(self.checked.problems.values()), MAX_PROBLEMS))

    @property
    def valid(self) -> int:
        """Number of entries without problems."""
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
        return cut_into_chunks(self.sent.text, self.sent.bounds, ids, parents, skipped)

    def _skip(self, index: int, wrong: list[Problem]) -> Skipped:
        """Skip an entry and clear its id and parent, which are invalid."""
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

    Raises Invalid, in the contract's words, if the body has no list of entries.
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
    """Check the body of a write, as `check_batch`, and cut it into chunks; raises Invalid with all problems."""
    return check_batch(body, **how).chunks(OnInvalid.REJECT)
