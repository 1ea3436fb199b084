"""A reload of the ingress while its application takes long to start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from deploy.stack.ports import LOOPBACK, free_port
from shared.waiting import wait_until

ROOT = Path(__file__).parents[3]

#: Answers with the id of its process; takes as long to start as the file beside it says.
APP = """
import os, threading
from pathlib import Path
from api.server.hosted_app import HostedApp, Verdict
from api.server.limits import Limits

threading.Event().wait(float((Path(__file__).parent / "seconds").read_text()))

def tell(environ, start_response):
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]

limits = Limits(
    uploads=1, connections=100, connections_per_address=100, client_timeout_s=5, client_min_bytes_s=1000,
    client_bytes=10**6, keepalive_s=5, max_body_bytes=10**6,
)
app = HostedApp(app=tell, triage=lambda _: Verdict.NOW, light=(), limits=limits, is_trusted=lambda _: False)
"""
#: Seconds that the application takes to start after the reload.
START_S = 3.0


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Run the application as the ingress is run; signals go to the parent, whose id is in a file."""
    (tmp_path / "slow_app.py").write_text(APP)
    (tmp_path / "seconds").write_text("0")
    port = free_port(LOOPBACK, 0)
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "slow_app:app"]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "SLUICE_PORT": str(port), "SLUICE_HOST": LOOPBACK}
    with subprocess.Popen([*command, "--pid", str(tmp_path / "pid")], cwd=ROOT, env=environ) as parent:
        try:
            wait_until(lambda: ask(port) is not None, "it serves", timeout_s=20)
            yield port
        finally:
            parent.terminate()


def ask(port: int) -> str | None:
    """Ask over a new connection; None if there is no answer."""
    connection = HTTPConnection(LOOPBACK, port, timeout=20)
    with suppress(OSError, HTTPException):
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    return None


def test_nobody_waits_for_the_new_process_to_start(port: int, tmp_path: Path) -> None:
    """The old process answers, new connections too, until the new one does."""
    (tmp_path / "seconds").write_text(str(START_S))
    old, answers = ask(port), list[str | None]()
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGHUP)

    def replaced() -> bool:
        answers.append(ask(port))
        return answers[-1] != old

    wait_until(replaced, "the new process answers", timeout_s=30)
    assert None not in answers
    assert answers.count(old) > 5
