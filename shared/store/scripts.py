"""Send commands and call the Lua scripts, by hash; load scripts that a server does not know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import redis
from redis.exceptions import ExecAbortError, NoScriptError, OutOfMemoryError, ReadOnlyError, ResponseError

from shared.errors import OtherRun
from shared.store import signatures
from shared.store.client import Store, store_errors
from shared.store.cluster import ClusterClient
from shared.store.resending import OneCall
from shared.store.script import Script as Script
from shared.store.wire import Argument as Argument
from shared.store.wire import Command as Command
from shared.store.wire import exchange

#: The first word of the error that becomes OtherRun, and of the one about a repeat that came too late.
OTHER_RUN, TOO_LATE = "OTHERRUN", "TOOLATE"

ACQUIRE_LEASE = Script(signatures.acquire_lease)
BEGIN = Script(signatures.begin)
CHANGE_TASKS = Script(signatures.change_tasks)
CLAIM_ENTRY = Script(signatures.claim_entry)
COMMIT_CHUNK = Script(signatures.commit_chunk)
EVEN_IF_FULL = Script(signatures.even_if_full)
EXCUSE_OWNER = Script(signatures.excuse_owner)
EXTEND_LEASE = Script(signatures.extend_lease)
FAIL_TASK = Script(signatures.fail_task)
KEEP_PIECE = Script(signatures.keep_piece)
LEASE_SINK = Script(signatures.lease_sink)
LIST_ENDED = Script(signatures.list_ended)
LIST_TASKS = Script(signatures.list_tasks)
NUMBER_RUN = Script(signatures.number_run)
QUEUE_ENTRIES = Script(signatures.queue_entries)
READ_CHANGED = Script(signatures.read_changed)
READ_CURSORS = Script(signatures.read_cursors)
READ_ENTRIES = Script(signatures.read_entries)
READ_LINKS = Script(signatures.read_links)
READ_PAGE = Script(signatures.read_page)
READ_STATE = Script(signatures.read_state)
RELEASE_LEASE = Script(signatures.release_lease)
RETIRE_TASKS = Script(signatures.retire_tasks)
ROTATE_CREDENTIAL = Script(signatures.rotate_credential)
SETTLE_SINK = Script(signatures.settle_sink)
SETTLE_STUCK = Script(signatures.settle_stuck)
STAGE_CHUNKS = Script(signatures.stage_chunks)
SUBMIT_BATCH = Script(signatures.submit_batch)
SUBMIT_EXPORT = Script(signatures.submit_export)
TRY_RIGHTS = Script(signatures.try_rights)
WRITE_FIELD_STATS = Script(signatures.write_field_stats)
WRITE_GUARD = Script(signatures.write_guard)
WRITE_MEMBER = Script(signatures.write_member)
YIELD_LEASE = Script(signatures.yield_lease)

ALL: list[Script[...]] = [value for value in globals().values() if isinstance(value, Script)]


@cache
def _by_sha() -> dict[Argument, Script[...]]:
    return {script.sha: script for script in ALL}


def again(call: Command, **fields: Argument) -> Command:
    """Write another call of the same script, with the same keys and no arguments but these."""
    return _by_sha()[call[1]].again(call, **fields)


def load_all(client: redis.Redis) -> None:
    """Load every script into the server."""
    for reply in exchange(client, [("SCRIPT", "LOAD", script.text) for script in ALL]):
        if isinstance(reply, ResponseError):
            raise reply


def run(store: Store, *commands: Command) -> list[Any]:
    """Send commands in order, not as a transaction; return their replies.

    They go out in one round trip, in a cluster in one for each slot.  If a server does not know a script yet, all are
    loaded and *everything* is sent again, and so it is if a slot moves meanwhile: a caller may only send what does no
    harm when it is repeated.  The first error reply is raised; StoreUnavailable and StoreFull as such,
    and OtherRun by a script that gives out task ids: see shared/store/id_writes.py.
    """
    if not commands:
        return []
    with store_errors(), OneCall():
        return store.send(commands, _transmit) if isinstance(store, ClusterClient) else _transmit(store, commands)


def run_apart(store: Store, *commands: Command) -> list[Any]:
    """Send commands as `run` does; of a cluster, each server is asked once, and only those of one slot keep order."""
    if not commands:
        return []
    with store_errors(), OneCall():
        return store.send_apart(commands, _transmit) if isinstance(store, ClusterClient) else _transmit(store, commands)


def _transmit(server: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    try:
        return _send(server, commands)
    except NoScriptError:
        load_all(server)
        return _send(server, commands)


def _send(server: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    replies = exchange(server, commands)
    for reply in _with_those_of_transactions(commands, replies):
        if isinstance(reply, ExecAbortError):
            raise _reason(reply)
        if isinstance(reply, ResponseError):
            code, _, rest = str(reply).partition(" ")
            if code == TOO_LATE:
                raise redis.TimeoutError("a repeat came too late to count")
            raise OtherRun(rest.split()[0]) if code == OTHER_RUN else reply
    return replies


def _with_those_of_transactions(commands: Sequence[Command], replies: Sequence[Any]) -> Iterator[Any]:
    """Yield replies, and of EXEC what its commands answered."""
    for command, reply in zip(commands, replies, strict=True):
        yield reply
        if command[0] == "EXEC" and isinstance(reply, list):
            yield from reply


def _reason(aborted: ExecAbortError) -> ResponseError:
    """Return the error for which a transaction was refused when it was to be carried out."""
    reason = str(aborted).rpartition("because of: ")[2]
    return {"OOM": OutOfMemoryError, "READONLY": ReadOnlyError}.get(reason.partition(" ")[0], ResponseError)(reason)
