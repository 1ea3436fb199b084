"""Whether a task's changes are in every sink that is required."""

from __future__ import annotations

from typing import NamedTuple

from shared.model import NO_SECTION, Status
from shared.sinks.sink_lease import read_states
from shared.sinks.sinks import SinkName, Sinks
from shared.store.client import Store
from shared.tasks.records import Task


class _Required(NamedTuple):
    section: str
    #: The last task that its readers see.
    task_id: int


class RequiredSinks:
    """The required sinks of a catalog as they were at one moment."""

    def __init__(self, found: list[_Required]) -> None:
        self._found = found

    def have(self, task: Task) -> bool:
        """Return whether what a task changed is in all of them; true if it changed nothing."""
        if task.status is not Status.DONE:
            return task.status in (Status.FAILED, Status.CANCELED)
        section = task.batch.section
        return all(one.task_id >= task.id for one in self._found if one.section == section != NO_SECTION)


def read_required(client: Store, catalog_key: str) -> RequiredSinks:
    """Read them: one round trip if there are none.  Raises StoreUnavailable."""
    required = [sink for sink in Sinks(client, catalog_key).all() if sink.required]
    if not required:
        return RequiredSinks([])
    states = read_states(client, [SinkName(catalog_key, sink.name) for sink in required])
    return RequiredSinks(
        [_Required(sink.section, state.live_task_id) for sink, state in zip(required, states, strict=True)]
    )
