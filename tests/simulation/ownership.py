"""Law of the lease: who is not the owner changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import redis

from shared.store import scripts
from shared.store.scripts import Command
from tests.support.laws import LawBroken

#: What only the owner may do; each names its token as the first argument.
OWNERS = {
    script.sha: script.name
    for script in (
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
    """Looks at what owners send; of one who is no longer the owner, nothing may take effect."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def watch(self, commands: Sequence[Command]) -> Callable[[], None] | None:
        """Look before commands are sent; returns what looks again afterwards, if that is worth it."""
        late: dict[str, str] = {}
        for command in commands:
            name = OWNERS.get(command[1]) if command[0] == "EVALSHA" else None  # type: ignore[call-overload]
            if name is None:
                continue
            count = int(command[2])
            lease = next(key for key in command[3 : 3 + count] if str(key).endswith(":lease"))
            token = str(command[3 + count])
            if (self._client.hget(lease, "token") or b"").decode() != token:
                late[str(lease).removesuffix("lease")] = name
        if not late:
            return None
        before = {prefix: self._dump(prefix) for prefix in late}

        def look_again() -> None:
            for prefix, name in late.items():
                after = self._dump(prefix)
                if changed := sorted(
                    key for key in {*before[prefix], *after} if before[prefix].get(key) != after.get(key)
                ):
                    raise LawBroken(f"owner: {name} of somebody who is no longer the owner changed {changed}")

        return look_again

    def _dump(self, prefix: str) -> dict[bytes, bytes | None]:
        keys: Iterable[bytes] = sorted(self._client.scan_iter(match=f"{prefix}*", count=1000))
        found = zip(keys, (self._client.dump(key) for key in keys), strict=True)
        return {key: value for key, value in found if value is not None}
