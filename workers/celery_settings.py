"""The settings of Celery, the same for every worker; a job is only a hint, so it may be lost."""

from __future__ import annotations

from typing import Any

from kombu import Exchange, Queue

from shared.doorbell import queue_settings


def celery_settings(broker_url: str, *, queue: str, job: str) -> dict[str, Any]:
    """Return the settings of a worker of one queue with one job."""
    configuration: dict[str, Any] = {
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_default_queue": queue,
        "task_routes": {job: {"queue": queue}},
        "task_ignore_result": True,
        "task_acks_late": False,
        "worker_prefetch_multiplier": 1,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # The broker refuses writes while its memory or disk is full: wait for it, as if it were unreachable.
        "broker_channel_error_retry": True,
        "broker_connection_timeout": 2,
        "worker_hijack_root_logger": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "enable_utc": True,
        **queue_settings(broker_url),
    }
    if broker_url.startswith("redis"):
        configuration["worker_disable_prefetch"] = True
        # Unacknowledged jobs need no bookkeeping in the broker: that halves its work, and avoids writes that would end
        # the worker when the broker's memory is full.
        configuration["task_queues"] = [Queue(queue, Exchange(queue), routing_key=queue, no_ack=True)]
    return configuration
