"""A full disk costs lines of logs and writes that are refused; never the stack, nor the way to end it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from deploy.stack.data_folder import short_socket
from deploy.stack.ports import LOOPBACK
from deploy.stack.services import Name
from deploy.stack.supervisor import Supervisor
from shared.waiting import wait_until
from tests.acceptance.customer import Customer
from tests.acceptance.processes import kill_family
from tests.acceptance.up_process import Up, up_environ
from tests.support.small_disk import small_disk

pytestmark = pytest.mark.timeout(180)

#: Lines of log enough to fill every pipe on the way, if nobody read it.
REQUESTS = 600


@contextmanager
def running(folder: Path) -> Iterator[tuple[Up, Customer]]:
    environ = up_environ(folder, CREDENTIALS="acme:token", LOG_LEVEL="DEBUG")
    up = Up(environ)
    try:
        up.read_until("ready")
        yield up, Customer(f"http://{LOOPBACK}:{environ['SLUICE_PORT']}", "acme", "token")
    finally:
        up.stop(signal.SIGINT)


def fill_logs(customer: Customer) -> None:
    """Each write leaves a line, accepted or refused."""
    for _ in range(REQUESTS):
        assert customer.call("PUT", "/v2/items", body={"items": [{"id": "a", "name": "A"}]}).status in (200, 503)


def kill_all(folder: Path) -> None:
    """Those that count, and their children: what takes their place starts on the full disk."""
    control = Supervisor(folder / "supervisor.conf", short_socket(folder / "supervisor.sock"))
    for name in (Name.INGRESS, Name.WORKER):
        kill_family(control.processes()[name].pid)


def reads(customer: Customer) -> bool:
    try:
        return customer.call("GET", "/v2/items").status == 200
    except OSError:
        return False


def test_full_data_disk_refuses_writes_goes_on_and_can_be_ended(tmp_path: Path) -> None:
    """Reads are answered, also by processes that start then; writes are 503 until there is room; Ctrl-C ends it."""
    with small_disk(tmp_path / "var", size_mb=16) as disk, running(disk.folder) as (up, customer):
        customer.done(customer.put({"id": "before", "name": "Before"}))
        disk.fill()
        fill_logs(customer)
        kill_all(disk.folder)
        wait_until(partial(reads, customer), "all are back", timeout_s=60)
        wait_until(lambda: customer.send("PUT", [{"id": "a", "name": "A"}]).status == 503, "refused", timeout_s=20)
        disk.free()
        wait_until(lambda: customer.send("PUT", [{"id": "a", "name": "A"}]).status == 200, "taken", timeout_s=20)
        wait_until(customer.all_ended, "applied", timeout_s=30)
        disk.fill()
        assert up.stop(signal.SIGINT) == 0


def test_full_disk_of_the_logs_costs_only_lines(tmp_path: Path) -> None:
    """Batches are accepted and applied; the logs go on when there is room, and say how much is missing."""
    with small_disk(tmp_path / "var/log", size_mb=1) as disk:
        (tmp_path / "var").chmod(0o700)
        with running(tmp_path / "var") as (up, customer):
            disk.fill()
            fill_logs(customer)
            customer.done(customer.put({"id": "a", "name": "A"}))
            disk.free()
            customer.done(customer.put({"id": "b", "name": "B"}))
            log = disk.folder / "ingress.log"
            wait_until(lambda: b"bytes were not written: the disk was full" in log.read_bytes(), "told", timeout_s=30)
            disk.fill()
            assert up.stop(signal.SIGINT) == 0
