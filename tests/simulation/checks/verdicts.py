"""What only the records tell: by which rules a task was judged, and how far one came that was given up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from shared.admin.stuck import Decision
from shared.model import Kind, Operation, Status
from shared.tasks.records import Task
from tests.simulation.checks.guard_book import GuardBook, together
from tests.simulation.journal import Journal
from tests.support.guard_laws import Judged
from tests.support.laws import Accepted, LawBroken

#: How the error of a task begins that was given up.
GIVEN_UP = "IngestionError: given up "


def met(tasks: Sequence[Task]) -> Iterator[str]:
    """Say what happened to tasks, in a few words: what histories are to bring about now and then."""
    for task in tasks:
        if task.planned and task.status is Status.FAILED:
            yield "stopped by a guard"
        elif b'"GUARD' in task.warnings:
            yield "warned by a guard"
        if (task.error or "").startswith(GIVEN_UP):
            yield "given up" if task.skipped_by is None else "skipped"
        if task.retried_by is not None:
            yield "retried"


def note_given_up(journal: Journal, tasks: Sequence[Task], *, most: float, lost_since: float) -> None:
    """Note how far the tasks came that were given up, which may be up to ``most``.  Raises LawBroken."""
    known, count = {task.id: task for task in tasks}, 0
    for line in journal.accepted:
        task = known.get(line.task_id)
        if task is None or task.status is not Status.FAILED or not (task.error or "").startswith(GIVEN_UP):
            continue
        count += 1
        line.given_up_after = 0 if line.operation == Operation.EXPORT else task.entries_done
        if line.given_up_after and task.skipped_by is None:
            raise LawBroken(f"given up: nobody skipped task {task.id}, of which {task.entries_done} entries are there")
    _check_decisions(journal, tasks, lost_since=lost_since)
    decided = [one.decision for one in journal.settled.values() if one.task_id is not None]
    if (all_in_all := count + decided.count(Decision.RETRY)) > most:
        raise LawBroken(f"given up: {all_in_all} times, by accidents enough for {most:.1f}")


def _check_decisions(journal: Journal, tasks: Sequence[Task], *, lost_since: float) -> None:
    """Whatever was decided about tasks is in their records, and nothing else."""
    known = {task.id: task for task in tasks}
    for name, settled in journal.settled.items():
        if settled.task_id is None or settled.answered > lost_since or settled.decision is Decision.RETRY:
            continue
        task = known[settled.task_id]
        if task.skipped_by != name or task.status is not Status.FAILED:
            raise LawBroken(f"given up: {name} skipped task {task.id}, which is {task.status} by {task.skipped_by}")
    for task in tasks:
        for who, decision in ((task.skipped_by, Decision.SKIP), (task.retried_by, Decision.RETRY)):
            if who is not None and journal.settled[who].decision is not decision:
                raise LawBroken(f"given up: {who} did not {decision} task {task.id}")


def note_guards(journal: Journal, tasks: Sequence[Task], book: GuardBook) -> None:
    """Note by which rules each task was judged.  Raises LawBroken if those did not hold for it."""
    known = {task.id: task for task in tasks}
    for line in journal.accepted:
        task = known.get(line.task_id)
        if task is not None and task.status is not Status.CANCELED and line.operation != Operation.EXPORT:
            line.judged = _judged(line, task, book)


def _judged(line: Accepted, task: Task, book: GuardBook) -> Judged | None:
    own, builds = Kind(line.kind), task.batch.operation.builds
    shown = json.loads(task.planned or b"{}").get(own)
    states = {kind: book.possible(kind, line.sent) for kind in task.batch.kinds}
    rules = {}
    if shown is not None:
        states[own] = book.possible(own, line.sent, shown["guard_version"])
        met = states[own][0].rules
        if met is None:
            raise LawBroken(f"guard: task {task.id} was judged by rules that were removed: {shown}")
        rules = {own: met}
    elif all(state.rules is not None for state in states[own]) and task.status is Status.DONE:
        raise LawBroken(f"guard: task {task.id} was judged by nobody, in spite of {states[own]}")
    if builds and any(state.rules is not None for some in states.values() for state in some):
        return Judged(rules, list(together(states)), failed=task.status is Status.FAILED)
    unjudged = shown is None and (task.status is Status.DONE or any(state.rules is None for state in states[own]))
    return None if unjudged else Judged(rules)
