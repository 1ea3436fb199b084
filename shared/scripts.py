"""The Lua scripts: read from ``lua/``, put together with what they include, called by hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

import redis
from redis.exceptions import NoScriptError, ResponseError

from shared.errors import OtherRun
from shared.round_trips import Argument as Argument
from shared.round_trips import Command as Command
from shared.round_trips import exchange
from shared.shards import Shards
from shared.store import Store, store_errors
from shared.unfolding import Unfolding

#: The first word of the error that becomes OtherRun.
OTHER_RUN = "OTHERRUN"

_INCLUDE = re.compile(r"^-- include: (_\w+)\n", re.MULTILINE)


def _read(name: str) -> str:
    return files("shared").joinpath("lua", f"{name}.lua").read_text("utf-8")


@dataclass(frozen=True)
class Script:
    """One script of ``lua/``, by the name of its file."""

    name: str

    @cached_property
    def text(self) -> str:
        """The script with its includes; the first line stays first, as the server wants its flags there."""
        return _INCLUDE.sub(lambda match: _read(match[1]), _read(self.name))

    @cached_property
    def sha(self) -> str:
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def command(self, keys: Sequence[str], args: Sequence[Argument]) -> tuple[Argument, ...]:
        return ("EVALSHA", self.sha, len(keys), *keys, *args)


ACQUIRE_LEASE = Script("acquire_lease")
BEGIN = Script("begin")
CHANGE_TASKS = Script("change_tasks")
CLAIM_ENTRY = Script("claim_entry")
COMMIT_CHUNK = Script("commit_chunk")
EVEN_IF_FULL = Script("even_if_full")
EXCUSE_OWNER = Script("excuse_owner")
EXTEND_LEASE = Script("extend_lease")
FAIL_TASK = Script("fail_task")
KEEP_PIECE = Script("keep_piece")
LIST_ENDED = Script("list_ended")
NUMBER_RUN = Script("number_run")
READ_ENTRIES = Script("read_entries")
READ_LINKS = Script("read_links")
READ_STATE = Script("read_state")
RELEASE_LEASE = Script("release_lease")
RETIRE_TASKS = Script("retire_tasks")
SETTLE_STUCK = Script("settle_stuck")
STAGE_CHUNKS = Script("stage_chunks")
SUBMIT_BATCH = Script("submit_batch")
SUBMIT_EXPORT = Script("submit_export")
YIELD_LEASE = Script("yield_lease")

ALL = [value for value in globals().values() if isinstance(value, Script)]


def load_all(client: redis.Redis) -> None:
    """Make every script known to the server."""
    for script in ALL:
        client.script_load(script.text)


def run(store: Store, *commands: Command) -> list[Any]:
    """Send commands in order, not as a transaction; return their replies.

    They go out in one round trip, in a cluster in one for each slot.  If a server does not know a script yet, all are
    loaded and *everything* is sent again, and so it is if a slot moves meanwhile: a caller may only send what does no
    harm when it is repeated.  The first error reply is raised; StoreUnavailable and StoreFull as such,
    and OtherRun by a script that gives out task ids: see shared/store_runs.py.
    """
    if not commands:
        return []
    with store_errors():
        return store.send(commands, _transmit) if isinstance(store, Shards) else _transmit(store, commands)


def run_apart(store: Store, *commands: Command) -> list[Any]:
    """Send commands as `run` does; of a cluster, each server is asked once, and only those of one slot keep order."""
    if not commands:
        return []
    with store_errors():
        return store.send_apart(commands, _transmit) if isinstance(store, Shards) else _transmit(store, commands)


def run_unfolding(store: Store, key: str, commands: Iterable[Command]) -> list[Any]:
    """Send commands as `run` does, each as soon as it is made, which must not use the store.

    All their keys are in the slot of ``key``.
    """
    unfolding = Unfolding(commands)
    with store_errors():
        if isinstance(store, Shards):
            return store.send_near(key, unfolding, _transmit)
        return _transmit(store, unfolding)


def _transmit(server: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    try:
        return _send(server, commands)
    except NoScriptError:
        load_all(server)
        return _send(server, commands)


def _send(server: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    replies = exchange(server, commands)
    for reply in replies:
        if isinstance(reply, ResponseError):
            code, _, rest = str(reply).partition(" ")
            raise OtherRun(rest.split()[0]) if code == OTHER_RUN else reply
    return replies
