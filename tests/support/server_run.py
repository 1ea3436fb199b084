"""Which run of a server it is, as the scripts tell."""

from __future__ import annotations

import redis


def server_run(client: redis.Redis) -> str:
    """Another after each start, and each time that it becomes master."""
    process, history = str(client.info("server")["run_id"]), client.info("replication")
    taken_over = str(history["master_replid2"]).strip("0")
    return process[:20] + str(history["master_replid"])[:20] if taken_over else process
