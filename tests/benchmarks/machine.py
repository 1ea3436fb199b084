"""Describe the machine of a measurement."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import redis

from deploy.stack import embedded_store
from shared.store.client import check_server
from tests.benchmarks import postgres
from tests.benchmarks.bodies import SEED, size_of

_PACKAGES = (
    "sluice", "flask", "marshmallow", "msgspec", "stringzilla", "zstandard", "celery", "kombu", "redis", "hiredis",
    "gunicorn", "procrastinate", "psycopg", "taskiq", "taskiq-redis",
)  # fmt: skip


def describe(client: redis.Redis) -> dict[str, Any]:
    """Describe the machine, the versions and the data; ``client`` is of any store of this run."""
    programs = postgres.find_programs()
    size = size_of()
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": {
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory_gib": round(embedded_store.memory_bytes() / 2**30, 1),
            "system": f"{platform.system()} {platform.release().split('-')[0]}",
            "load_before": round(os.getloadavg()[0], 2),
        },
        "versions": {
            "python": platform.python_version(),
            "store": check_server(client),
            "store_preloaded": embedded_store.preloaded() or None,
            "postgresql": postgres.version(programs) if programs else None,
            "commit": _commit(),
            **{package: _version(package) for package in _PACKAGES},
        },
        "data": {
            "seed": SEED,
            "entry_bytes": round(size.entry_bytes, 1),
            "text": "words drawn by rank from a vocabulary of some 900, sent as UTF-8",
        },
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str | None:
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
