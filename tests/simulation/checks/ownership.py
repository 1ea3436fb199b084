"""Law of the lease: there is one owner, and who is not the owner changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from shared.store import scripts
from shared.store.scripts import Command
from tests.simulation.scheduler import Send
from tests.simulation.timed_store import TimedStore
from tests.support.laws import LawBroken

#: What only the owner may do, each with its token as the first argument; and how one becomes the owner.
NAMES = {
    script.sha: script.name
    for script in (
        scripts.ACQUIRE_LEASE,
        scripts.BEGIN,
        scripts.COMMIT_CHUNK,
        scripts.EXTEND_LEASE,
        scripts.FAIL_TASK,
        scripts.KEEP_PIECE,
        scripts.RELEASE_LEASE,
        scripts.YIELD_LEASE,
    )
}

#: After these nothing is known of any lease: an owner lets go by its name, or what was sent earlier takes effect.
_CHANGES_OTHERS = {scripts.EXCUSE_OWNER.sha, "EXEC"}


class Ownership:
    """Looks at what owners send; of one who is no longer the owner, nothing may take effect.

    Who is the owner stays it until it lets go, or its lease runs out.
    """

    def __init__(self, store: TimedStore, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms
        #: Lease: its token and when it runs out, as the store said last, in one run of it.
        self._known: dict[str, tuple[str, int]] = {}
        self._run = store.run

    def send(self, commands: Sequence[Command], send: Send) -> Callable[[], None] | None:
        """Send commands; returns what looks afterwards, when no process is running, if that is worth it."""
        calls = {command[1] if command[0] == "EVALSHA" else command[0] for command in commands}
        if self._run != self._store.run or not _CHANGES_OTHERS.isdisjoint(calls):
            self._run = self._store.run
            self._known.clear()
        if NAMES.keys().isdisjoint(calls):
            send(commands, ())
            return None
        return self._watched(commands, send)

    def _watched(self, commands: Sequence[Command], send: Send) -> Callable[[], None] | None:
        late: dict[str, str] = {}
        owned: dict[str, str] = {}
        leases = dict[str, None]()
        for name, lease, sent in _about_leases(commands):
            leases[lease] = None
            token = self._token(lease)
            if name == scripts.ACQUIRE_LEASE.name:
                owned |= {lease: token} if token else {}
            elif token != sent:
                late[lease.removesuffix("lease")] = name
        before = {prefix: self._dump(prefix) for prefix in late}
        self._send(commands, send, list(leases))

        def look_again() -> None:
            for lease, token in owned.items():
                if self._token(lease) != token:
                    raise LawBroken(f"owner: {lease} was taken away from its owner, who had not let go of it")
            for prefix, name in late.items():
                after = self._dump(prefix)
                if changed := sorted(
                    key for key in {*before[prefix], *after} if before[prefix].get(key) != after.get(key)
                ):
                    raise LawBroken(f"owner: {name} of somebody who is no longer the owner changed {changed}")

        return look_again if late or owned else None

    def _send(self, commands: Sequence[Command], send: Send, leases: Sequence[str]) -> None:
        """Send commands, and in the same round trip ask for the leases that they are about."""
        begun = sum({"MULTI": 1, "EXEC": -1}.get(str(command[0]), 0) for command in commands)
        if begun > 0:
            # Within a transaction nothing is answered.
            for lease in leases:
                self._known.pop(lease, None)
            send(commands, ())
            return
        looks = [look for lease in leases for look in _looks(lease)]
        self._note(leases, send(commands, looks))

    def _note(self, leases: Sequence[str], found: Sequence[Any]) -> None:
        now_ms = self._now_ms()
        for lease, token, ttl_ms in zip(leases, found[::2], found[1::2], strict=True):
            self._known[lease] = (token or b"").decode(), now_ms + ttl_ms

    def _token(self, lease: str) -> str:
        if lease not in self._known:
            self._note([lease], self._store.ask(*_looks(lease)))
        token, until_ms = self._known[lease]
        return token if self._now_ms() <= until_ms else ""

    def _dump(self, prefix: str) -> dict[bytes, bytes | None]:
        [found] = self._store.ask(("KEYS", f"{prefix}*"))
        found.sort()
        dumped = zip(found, self._store.ask(*(("DUMP", key) for key in found)), strict=True)
        return {key: value for key, value in dumped if value is not None}


def _looks(lease: str) -> tuple[Command, Command]:
    return ("HGET", lease, "token"), ("PTTL", lease)


def _about_leases(commands: Sequence[Command]) -> Iterator[tuple[str, str, str]]:
    """Find the calls that are about a lease: the script, the key of the lease, and the first argument."""
    for command in commands:
        name = NAMES.get(str(command[1])) if command[0] == "EVALSHA" else None
        if name is not None:
            first = 3 + int(command[2])
            yield name, next(str(key) for key in command[3:first] if str(key).endswith(":lease")), str(command[first])
