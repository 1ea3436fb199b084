"""``sluice top``: what the *Now* page tells, in a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from fcntl import ioctl

import pytest
import structlog
from click.testing import CliRunner

from api.cli.main import sluice
from shared.clock import now_ms
from shared.partition.heartbeats import Heartbeats
from shared.waiting import wait_until
from tests.support.batches import items
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer

#: Moves, colours and modes of a terminal.
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def once(server: StoreServer) -> list[str]:
    try:
        result = CliRunner().invoke(sluice, ["top", "--once"], env={"SLUICE_REDIS_URL": server.url})
    finally:
        structlog.reset_defaults()
    assert result.exit_code == 0, result.output
    return [line.rstrip() for line in result.output.splitlines()]


@pytest.fixture
def rig(rig: Rig) -> Rig:
    """At the present: the command looks at the real clock."""
    rig.clock.now_ms = now_ms()
    return rig


def test_a_script_gets_every_partition_on_a_line_the_urgent_first(rig: Rig, store_server: StoreServer) -> None:
    rig.put(*items("a"), catalog_key="at-rest")
    rig.drain("at-rest")
    rig.put(*items("a", "b", "c"), catalog_key="waits")
    rig.clock.advance(1)
    rig.put(*items("a"), catalog_key="drained")
    rig.claim("drained", holder="host:7", nonce="n").acquire()
    narrow = rig.with_settings(max_stalls=1)
    narrow.put(*items(*"abcd"), chunk_entries=1)
    grant = narrow.acquire()
    narrow.take(grant, narrow.plan(grant)[:1])
    narrow.expire_lease()
    narrow.claim(holder="another", nonce="n").acquire()
    rig.patch(*items("none"), catalog_key="at-rest")
    rig.drain("at-rest")
    Heartbeats(rig.client).beat("host:7", rig.clock())
    lines = once(store_server)
    table = [line.split() for line in lines[lines.index("") :] if line]
    assert "3 batches wait" in lines[0]
    assert "failed in a day 1" in lines[1]
    assert lines[2].split() == ["workers", "1", "host:7"]
    assert [row[:4] for row in table[2:]] == [
        [ACME, "stuck", "1", "3"],
        ["waits", "waiting", "1", "3"],
        ["drained", "draining", "1", "1"],
        ["at-rest", "idle", "0", "0"],
    ]
    assert table[2][-3:] == ["stuck", "at", "#1"]
    assert table[4][-1] == "host:7"


@pytest.fixture
def terminal(rig: Rig, store_server: StoreServer) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The command in a terminal of 80 by 24, over more partitions than that."""
    for number in range(40):
        rig.put(*items("a"), catalog_key=f"a-catalog-with-quite-a-long-name-{number:02}")
    ours, its = pty.openpty()
    ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environ = {**os.environ, "SLUICE_REDIS_URL": store_server.url, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    # A shell that puts the tests in the background has them, and what they start, ignore Ctrl-C.
    hears = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    running = subprocess.Popen(
        [sys.executable, "-c", hears + "from api.cli.main import main; main()", "top", "--every", "0.2"],
        stdin=its, stdout=its, stderr=its, env=environ, start_new_session=True,
    )  # fmt: skip
    os.close(its)
    yield ours, running
    running.kill()
    running.wait()
    os.close(ours)


def test_it_fills_a_terminal_without_wrapping_and_ends_with_ctrl_c(
    terminal: tuple[int, subprocess.Popen[bytes]],
) -> None:
    ours, running = terminal
    seen = ""

    def two_screens() -> list[str]:
        nonlocal seen
        seen += os.read(ours, 65536).decode(errors="replace")
        return re.split(r"(?=sluice  )", ESCAPES.sub("", seen))[1:-1]

    [first, *_] = wait_until(two_screens, "a screen is drawn", timeout_s=20)
    lines = first.replace("\r", "").rstrip("\n").split("\n")
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "40 batches wait" in lines[0]
    assert [line for line in lines if re.match(r"a-catalog.* waiting +1 ", line)]
    assert re.match(r"and \d\d more", lines[-1].strip() or lines[-2])
    running.send_signal(signal.SIGINT)
    # Somebody has to take what it says last, or it waits for that.
    last = b""
    with contextlib.suppress(OSError):
        while said := os.read(ours, 65536):
            last += said
    assert running.wait(timeout=20) == 0, last.decode(errors="replace")
