"""Read what one task changed, piece by piece, so that a task of any size comes in pages."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Set
from dataclasses import dataclass

from shared.codec import decode_changed
from shared.keys import CatalogKeys
from shared.model import Kind, Outcome
from shared.store import scripts
from shared.store.client import Store
from shared.tasks.payloads import Payloads
from shared.tasks.records import Task

#: What a reader of the feed has to do something about.
CHANGES = frozenset({Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED})

#: Ids, each with what became of it.
Entries = list[tuple[str, Outcome]]


@dataclass(frozen=True, slots=True)
class TaskChanges:
    """Changes of one task to entries of one kind."""

    task_id: int
    kind: Kind
    #: NO_SECTION for item groups.
    section: str
    #: In the order of the batch.
    entries: Entries


def read_changes(
    client: Store, catalog_key: str, task: Task, *, first: int, kinds: Set[Kind], most: int
) -> tuple[list[TaskChanges], int]:
    """Read what an ended task changed, from its piece ``first`` on, up to the piece that brings it to ``most`` entries.

    Returns the changes, one for each kind, and the piece to go on with; 0 behind the last.  Pieces are the chunks of
    the payload, then what was changed without being an entry of it.  Raises PayloadGone.
    """
    keys = CatalogKeys(catalog_key)
    report, frames = scripts.run(
        client,
        ("GETRANGE", keys.report(task.id), 0, task.batch.entries - 1),
        ("LLEN", keys.also_changed(task.id)),
    )
    last = task.batch.chunks + frames - 1
    found: dict[Kind, Entries] = {}
    count, rest = 0, 0
    pieces = itertools.chain(
        _chunks(Payloads(client, catalog_key), task, report.decode(), range(first, task.batch.chunks), kinds),
        _others(client, keys, task, range(max(first, task.batch.chunks), last + 1)),
    )
    for number, some in pieces:
        for kind, entries in some.items():
            if kind in kinds:
                found.setdefault(kind, []).extend(entries)
                count += len(entries)
        if count >= most and number < last:
            rest = number + 1
            break
    return [TaskChanges(task.id, kind, task.batch.section_of(kind), some) for kind, some in found.items() if some], rest


def _chunks(
    payloads: Payloads, task: Task, marks: str, numbers: range, kinds: Set[Kind]
) -> Iterator[tuple[int, dict[Kind, Entries]]]:
    """Read the entries of the batch that changed something; of a task that was given up halfway, those it came to."""
    if not CHANGES.intersection(marks):
        return
    for number in numbers:
        if (kind := task.batch.kind_of(number)) in kinds:
            chunk = payloads.chunk(task, number)
            here = zip(chunk.ids, marks[chunk.first : chunk.first + len(chunk)], strict=False)
            yield number, {kind: [(entry_id, Outcome(mark)) for entry_id, mark in here if mark in CHANGES]}
            if chunk.first + len(chunk) >= len(marks):
                return


def _others(client: Store, keys: CatalogKeys, task: Task, numbers: range) -> Iterator[tuple[int, dict[Kind, Entries]]]:
    """Read what changed without being an entry of the batch."""
    for number in numbers:
        [frame] = scripts.run(client, ("LINDEX", keys.also_changed(task.id), number - task.batch.chunks))
        if frame is not None:
            entries: dict[Kind, Entries] = {}
            for kind, changed in decode_changed(frame).items():
                entries[kind] = [(entry_id, outcome) for outcome, ids in changed.items() for entry_id in ids]
            yield number, entries
