"""Configuration of gunicorn for the ingress; it executes this file with the environment of `make up`."""

import gc
import mmap
import os
import sys
from pathlib import Path
from typing import Any

from shared.settings import Settings

_settings = Settings.from_env(os.environ)

bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"

# Slow clients wait where they cost no thread; limits and deadlines are in api/server.
worker_class = "api.server.worker.ThreadedPollWorker"
workers = _settings.ingress
threads = _settings.threads

# With neither, the ingress speaks plain HTTP.
certfile = _settings.tls_cert and str(_settings.tls_cert)
keyfile = str(_settings.tls_key or _settings.tls_cert) if _settings.tls_cert else None

# Seconds that requests at hand have when their process is replaced: one may wait 30 s for the end of its task.  When
# all is stopped, supervisor waits no longer than 8.
graceful_timeout = 35

# The sign of life of each process: a file in memory, so that a slow disk is not taken for a dead process.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None

errorlog = "-"
loglevel = _settings.log_level.lower()
# The application writes one line a request by itself, with the ids.
accesslog = None

# supervisor controls it; a second way in is not wanted.
control_socket_disable = True


def pre_fork(server: Any, worker: Any) -> None:
    """Let processes know of each other: on a reload, the old ones serve until the new ones do."""
    from api.server.succession import BYTES, Succession

    if not hasattr(server, "ages"):
        server.ages = mmap.mmap(-1, BYTES)  # outlives a reload, as the server does
    worker.succession = Succession(server.ages, worker.age)
    worker.succession.started()


def post_worker_init(_: object) -> None:
    """Exclude imported objects from garbage collection, which would scan them again and again."""
    gc.collect()
    gc.freeze()


# A reload (HUP) reads new code: what the parent process has imported would be handed down to the new ones as it was.
for _name in [name for name in sys.modules if name.partition(".")[0] in ("api", "shared")]:
    del sys.modules[_name]
