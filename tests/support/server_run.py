"""Which run of a server it is, as the scripts tell."""

from __future__ import annotations

import redis


def server_run(client: redis.Redis) -> str:
    """Another after each start, and each time that it becomes master."""
    return str(client.info("server")["run_id"][:20] + client.info("replication")["master_replid"][:20])
