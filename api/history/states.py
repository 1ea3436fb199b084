"""Work out the states of an entry from what was sent to it, task by task.  Pure.

What was sent whole says what an entry is afterwards; what changes an entry needs the state before, so that comes from
an earlier task, if its payload is still kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from api.history.differences import Difference, differences
from shared.catalog.merging import NULL, Fields, decode_fields, merge, overwrite
from shared.errors import TaskFailed
from shared.model import Batch, Operation
from shared.tasks.reports import EntryOutcome

#: Operations whose entries have the fields that change, and no others.
CHANGING = frozenset({Operation.PATCH, Operation.AMEND, Operation.UPSERT})
_LEFT = frozenset({EntryOutcome.IGNORED, EntryOutcome.FAILED, EntryOutcome.UNCHANGED, None})


@dataclass(frozen=True, slots=True)
class State:
    """What is known of an entry at some moment."""

    #: None if it did not exist.
    fields: Fields | None
    is_known: bool = True

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
    return Changes(list(differences({}, sent)), complete=False)


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
        return UNKNOWN
    fields = dict(before.there)
    try:
        overwrite(fields, sent) if whole else merge(fields, sent)
    except TaskFailed:
        return UNKNOWN
    return State(fields)
