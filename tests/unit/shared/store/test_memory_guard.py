"""What a process believes of the memory of a cluster's servers, while they change."""

from __future__ import annotations

import pytest

from shared.store import memory
from shared.store.cluster import ClusterClient
from shared.store.memory import MemoryGuard

NO_LIMIT = {"maxmemory": 0, "used_memory": 0}
MUCH = {"maxmemory": 10**9, "used_memory": 0}


@pytest.mark.parametrize("found", [{"other server": MUCH}, {"server": NO_LIMIT}])
def test_a_look_at_other_servers_while_a_write_is_admitted_harms_nothing(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, dict[str, int]]
) -> None:
    """A fail-over, or a limit that was lifted, between two steps of it: neither an error nor a false 'full'."""
    now = {"server": MUCH}
    monkeypatch.setattr(memory, "server_of", lambda client, catalog_key: "server")
    monkeypatch.setattr(memory, "servers", lambda client: list(now))
    monkeypatch.setattr(memory, "_memories", lambda asked: list(now.values()))
    monkeypatch.setattr(memory, "_reserved_on", lambda client: {})
    now_s = 0.0
    guard = MemoryGuard(object.__new__(ClusterClient), clock_s=lambda: now_s)

    class Meanwhile(int):
        """A growth that is compared just when another thread looks."""

        def __gt__(self, room: float) -> bool:
            nonlocal now, now_s
            now, now_s = found, now_s + memory.REFUSAL_BELIEVED_S
            guard.admit("other", is_early=True)
            return False

    guard.admit("acme", Meanwhile(1000))
    guard.admit("acme", 1000)
