"""Law of the lease: there is one owner, and who is not the owner changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from shared.store import scripts
from shared.store.scripts import Command
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


class Ownership:
    """Looks at what owners send; of one who is no longer the owner, nothing may take effect.

    Who is the owner stays it until it lets go, or its lease runs out.
    """

    def __init__(self, ask: Callable[..., list[Any]]) -> None:
        """``ask``: sends commands that are no round trip of a process."""
        self._ask = ask

    def watch(self, commands: Sequence[Command]) -> Callable[[], None] | None:
        """Look before commands are sent; returns what looks again afterwards, if that is worth it."""
        late: dict[str, str] = {}
        owned: dict[str, str] = {}
        for name, lease, sent in _about_leases(commands):
            token = self._token(lease)
            if name == scripts.ACQUIRE_LEASE.name:
                owned |= {lease: token} if token else {}
            elif token != sent:
                late[lease.removesuffix("lease")] = name
        if not late and not owned:
            return None
        before = {prefix: self._dump(prefix) for prefix in late}

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

        return look_again

    def _token(self, lease: str) -> str:
        [token] = self._ask(("HGET", lease, "token"))
        return (token or b"").decode()

    def _dump(self, prefix: str) -> dict[bytes, bytes | None]:
        [found] = self._ask(("KEYS", f"{prefix}*"))
        found.sort()
        dumped = zip(found, self._ask(*(("DUMP", key) for key in found)), strict=True)
        return {key: value for key, value in dumped if value is not None}


def _about_leases(commands: Sequence[Command]) -> Iterator[tuple[str, str, str]]:
    """Find the calls that are about a lease: the script, the key of the lease, and the first argument."""
    for command in commands:
        name = NAMES.get(str(command[1])) if command[0] == "EVALSHA" else None
        if name is not None:
            first = 3 + int(command[2])
            yield name, next(str(key) for key in command[3:first] if str(key).endswith(":lease")), str(command[first])
