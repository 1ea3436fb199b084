"""How gunicorn serves the ingress; it runs this file, with the environment of `make up`."""

import gc
import json
import os
import socket
import sys
from http import HTTPStatus
from pathlib import Path

import gunicorn.http.message
import gunicorn.http.parser
import gunicorn.util

from shared.settings import Settings

_settings = Settings.from_env(os.environ)

bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"

# Threads: a request waits for Redis most of its time, and a slow upload must not hold up others.
worker_class = "deploy.lingering.LingeringWorker"
workers = _settings.ingress
threads = _settings.threads

# A list by id names up to 1,000 ids of up to 250 characters in its query; gunicorn takes 8,190 bytes at most.  Its own
# word for no limit at all would let a stranger fill our memory.
gunicorn.http.message.MAX_REQUEST_LINE = limit_request_line = 1024 * 1024

# What a refused request still sends is read and thrown away, for 5 s at most.  A connection closed on a client that
# sends would show it a broken pipe instead of the refusal.
gunicorn.http.parser._DRAIN_MAX_BYTES = 2 * _settings.max_body_bytes


def _answer_in_json(sock: socket.socket, status: int, reason: str, message: str) -> None:
    """Answer what is no request at all, and never reaches the application, in the shape of all its errors."""
    body = json.dumps({"message": message or HTTPStatus(status).phrase}).encode()
    head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
    gunicorn.util.write_nonblock(sock, head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)


gunicorn.util.write_error = _answer_in_json

# Clients keep their connection between batches.
keepalive = 30
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


def post_worker_init(_: object) -> None:
    """Take what was imported out of the sight of the garbage collector, which would look through it again and again."""
    gc.collect()
    gc.freeze()


# A reload (HUP) reads new code: what this file has imported would be handed down to the new processes as it was.
for _name in [name for name in sys.modules if name.partition(".")[0] == "shared"]:
    del sys.modules[_name]
