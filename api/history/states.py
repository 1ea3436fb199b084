"""Work out the states of an entry from what was sent to it, task by task.  Pure.

What was sent whole says what an entry is afterwards; what changes an entry needs the state before, so that comes from
an earlier task, if its payload is still kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from api.history.differences import Difference, differences
from shared.catalog.merging import NULL, Fields, decode_fields, encode_fields, merge, overwrite
from shared.errors import TaskFailed
from shared.model import Batch, Operation
from shared.tasks.reports import EntryOutcome

#: Of these, those that merge `data` member by member.
_MERGING = frozenset({Operation.PATCH, Operation.AMEND})
#: Operations whose entries have the fields that change, and no others.
CHANGING = frozenset({Operation.PATCH, Operation.AMEND, Operation.UPSERT})
_LEFT = frozenset({EntryOutcome.IGNORED, EntryOutcome.FAILED, EntryOutcome.UNCHANGED, None})


#: A field that a PATCH replaces whole: its name, or `data` and the name of a member.
Part = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """What is known of an entry at some moment."""

    #: None if it did not exist.
    fields: Fields | None
    is_known: bool = True
    #: If not: what PATCHes have set since, NULL where a field was removed.
    parts: Mapping[Part, msgspec.Raw] = field(default_factory=dict)

    @property
    def there(self) -> Fields:
        return {} if self.fields is None else self.fields


UNKNOWN = State(None, is_known=False)
ABSENT = State(None)


@dataclass(frozen=True, slots=True)
class Deed:
    """What a task did to an entry."""

    batch: Batch
    #: None while it waits, and where the batch did not name the entry.
    outcome: EntryOutcome | None
    #: None if it is no longer kept.
    sent: bytes | None
    #: The batch did not name it, and was applied: the entry was deleted or written along with others.
    along: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """What one task changed of an entry."""

    found: list[Difference]
    #: Whether the state before it is known; otherwise each value before is missing.
    complete: bool

    @property
    def size(self) -> int:
        """Bytes of all values, before and after."""
        return sum(len(each.before or b"") + len(each.after or b"") for each in self.found)


def changes_of(deeds: Iterable[Deed], state: State = UNKNOWN) -> list[Changes | None]:
    """Return what each deed changed, oldest first; None where that cannot be told."""
    found: list[Changes | None] = []
    for deed in deeds:
        after = _after(deed, state)
        found.append(_changes(deed, state, after))
        state = after
    return found


def is_anchor(deed: Deed) -> bool:
    """Return whether the state after a deed is known, whatever was before."""
    return _after(deed, UNKNOWN).is_known


def _changes(deed: Deed, before: State, after: State) -> Changes | None:
    if deed.outcome is None and not deed.along:
        return None
    if deed.outcome in _LEFT and not deed.along:
        return Changes([], complete=True)
    if deed.outcome is EntryOutcome.CREATED:
        before = ABSENT
    if before.is_known and after.is_known:
        return Changes(list(differences(before.there, after.there)), complete=True)
    if after.is_known and after.fields is None:
        return Changes([], complete=False)
    if deed.sent is None:
        return None
    sent = _sent(deed.sent)
    # Which never changes.
    sent.pop("id", None)
    if deed.batch.operation not in _MERGING:
        return Changes(list(differences({}, sent)), complete=False)
    parts = dict(_parts(sent))
    known = {part: value for part, value in parts.items() if part in before.parts}
    rest = {part: value for part, value in parts.items() if part not in before.parts}
    was = {part: before.parts[part] for part in known}
    found = [*differences(_whole(was, known), _whole(known, known)), *differences({}, _sent_whole(rest))]
    return Changes(found, complete=not rest)


def _after(deed: Deed, before: State) -> State:
    operation = deed.batch.operation
    if deed.along:
        deletes = operation in (Operation.DELETE, Operation.REPLACE) or operation.builds
        return ABSENT if deletes else UNKNOWN
    if deed.outcome is EntryOutcome.DELETED:
        return ABSENT
    if operation is Operation.KEEP or (deed.outcome in _LEFT and deed.outcome is not EntryOutcome.UNCHANGED):
        return before
    if deed.outcome is EntryOutcome.UNCHANGED and (before.is_known or operation in CHANGING):
        return before
    if deed.sent is None:
        return UNKNOWN
    sent = _sent(deed.sent)
    if deed.outcome is EntryOutcome.CREATED:
        before = ABSENT
    if operation in CHANGING:
        return _changed(before, sent, whole=operation is Operation.UPSERT)
    if operation is Operation.MODIFY and "suggested_score" not in sent:
        # V1 keeps a score that is not sent.
        if not before.is_known:
            return UNKNOWN
        sent["suggested_score"] = before.there.get("suggested_score", NULL)
    return State({name: value for name, value in sent.items() if value != NULL})


def _sent(entry: bytes) -> Fields:
    fields = decode_fields(entry)
    # V1 sends them with their item.
    fields.pop("variations", None)
    return fields


def _changed(before: State, sent: Fields, *, whole: bool) -> State:
    if not before.is_known:
        return UNKNOWN if whole else State(None, is_known=False, parts=_merged(before.parts, sent))
    fields = dict(before.there)
    try:
        overwrite(fields, sent) if whole else merge(fields, sent)
    except TaskFailed:
        return UNKNOWN
    return State(fields)


def _parts(sent: Fields) -> Iterator[tuple[Part, msgspec.Raw]]:
    """Take a PATCH apart."""
    for name, value in sent.items():
        if name == "data" and value != NULL:
            yield from ((("data", key), member) for key, member in decode_fields(value).items())
        else:
            yield (name,), value


def _merged(parts: Mapping[Part, msgspec.Raw], sent: Fields) -> dict[Part, msgspec.Raw]:
    """Lay a PATCH over what is known of an entry."""
    merged = dict(parts)
    for part, value in _parts(sent):
        base, colon, edit = part[-1].rpartition(":")
        if part == ("data",):
            merged = {each: known for each, known in merged.items() if each[0] != "data"}
        elif len(part) == 2 and colon and edit in ("add", "remove"):
            merged.pop(("data", base), None)
        else:
            merged[part] = value
    return merged


def _whole(parts: Mapping[Part, msgspec.Raw], like: Mapping[Part, msgspec.Raw]) -> Fields:
    """Put parts together as an entry, without those removed; with `data` if the other one has some of it."""
    fields = {part[0]: value for part, value in parts.items() if len(part) == 1 and value != NULL}
    if any(len(part) == 2 for part in like):
        data = {part[1]: value for part, value in parts.items() if len(part) == 2 and value != NULL}
        fields["data"] = msgspec.Raw(encode_fields(data))
    return fields


def _sent_whole(parts: Mapping[Part, msgspec.Raw]) -> Fields:
    """Put parts together as they were sent, nulls too."""
    fields = {part[0]: value for part, value in parts.items() if len(part) == 1}
    if data := {part[1]: value for part, value in parts.items() if len(part) == 2}:
        fields["data"] = msgspec.Raw(encode_fields(data))
    return fields
