"""What senders know of their batches, and what they can not know until the end."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shared.admin.stuck import Decision
from shared.model import Batch
from shared.origin import Origin
from shared.tasks.records import Task
from tests.support.laws import Accepted, LawBroken


@dataclass
class Settled:
    """A decision of an operator."""

    decision: Decision
    #: About which task; None if that is not known, or it was about none.
    task_id: int | None = None
    answered: float = math.inf


@dataclass
class Journal:
    """The accepted batches of one catalog."""

    accepted: list[Accepted] = field(default_factory=list)
    #: Sent and not answered, by the id of the request.
    unsure: dict[str, Accepted] = field(default_factory=dict)
    #: When the answer was there that a task is canceled, by its id.
    canceled: dict[int, float] = field(default_factory=dict)
    #: Tasks that may have been run again, once for each request without an answer.
    maybe_again: list[tuple[Accepted, float]] = field(default_factory=list)
    #: What an operator decided about the task at which it was stuck, by a name of the decision.
    settled: dict[str, Settled] = field(default_factory=dict)

    def named(self, batch: Batch, number: int) -> Batch:
        """Name the request of an operation in its batch."""
        return replace(batch, origin=Origin(request_id=f"operation-{number}"))

    def complete(self, tasks: Sequence[Task], *, lost_since: float) -> None:
        """Find the tasks of requests without an answer, now that nothing goes on.

        Of what was answered after ``lost_since`` the store may have forgotten everything, but gives out no id again.
        """
        ids = Counter(line.task_id for line in self.accepted)
        if twice := [task_id for task_id, times in ids.items() if times > 1]:
            raise LawBroken(f"once: ids were given out twice: {twice}")
        there = {task.id for task in tasks}
        self.accepted = [line for line in self.accepted if line.task_id in there or line.answered < lost_since]
        for line in self.accepted:
            if self.canceled.get(line.task_id, 0.0) > lost_since:
                line.canceled = None
        known = set(ids)
        for task in tasks:
            if task.id in known:
                continue
            if task.retry_of is None:
                line = self.unsure.pop(task.batch.origin.request_id, None)
                if line is None:
                    raise LawBroken(f"once: task {task.id} was submitted by nobody, or is there twice")
                self.accepted.append(replace(line, task_id=task.id, answered=math.inf))
            else:
                self._take_rerun(task)

    def _take_rerun(self, task: Task) -> None:
        for line, sent in self.maybe_again:
            if line.task_id == task.retry_of:
                self.maybe_again.remove((line, sent))
                again = replace(
                    line, task_id=task.id, retry_of=line.task_id, canceled=None, sent=sent, answered=math.inf
                )
                self.accepted.append(again)
                return
        raise LawBroken(f"once: task {task.id} is a re-run that nobody asked for, or is there twice")
