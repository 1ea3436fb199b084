"""`make up` as a person meets it: one process, its lines, its end.  Everything else about the stack is HTTP."""

from __future__ import annotations

import base64
import contextlib
import ctypes.util
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from deploy.demo.catalogue import DemoBatch
from deploy.demo.client import Client
from deploy.stack.data_folder import open_folder
from deploy.stack.ports import LOOPBACK, free_port
from deploy.stack.services import STOP_ORDER, Name
from deploy.stack.supervisor import Supervisor
from shared.errors import Misconfigured
from shared.waiting import wait_until
from tests.acceptance.customer import Customer, send_request
from tests.acceptance.up_process import Up, up_environ

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(180)


def with_all(folder: Path, **settings: object) -> dict[str, str]:
    """The variables of a stack with every service there is."""
    return up_environ(folder / "var", FTPS_PORT=free_port(LOOPBACK, 0), SINKS=1, **settings)


@dataclass
class Running:
    """One that is up, and what it has said until then."""

    environ: dict[str, str]
    up: Up
    lines: list[str]

    @property
    def folder(self) -> Path:
        return Path(self.environ["SLUICE_DATA_DIR"])


@contextlib.contextmanager
def started(environ: dict[str, str]) -> Iterator[Up]:
    up = Up(environ)
    try:
        yield up
    finally:
        up.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The last of the tests that share it ends it; by default a store that is killed may lose the last two seconds."""
    environ = with_all(tmp_path_factory.mktemp("up"), DURABILITY="fsync")
    with started(environ) as up:
        yield Running(environ, up, up.read_until("ready"))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return up_environ(tmp_path / "var")


@pytest.fixture
def up(environ: dict[str, str]) -> Iterator[Up]:
    with started(environ) as up:
        yield up


def control_of(folder: Path) -> Supervisor:
    return Supervisor(folder / "supervisor.conf", folder / "supervisor.sock")


def test_it_names_every_service_then_says_ready_and_shows_the_made_token_only_once(tmp_path: Path) -> None:
    environ = with_all(tmp_path)
    with started(environ) as up:
        lines = up.read_until("ready")
        assert [line.split()[0] for line in lines[:6]] == ["store", "ingress", "worker", "flower", "ftps", "sinks"]
        assert lines[-1] == "ready"
        [made] = [line for line in lines if "made for you" in line]
        token = made.split("token ")[1].split()[0]
        check_memory_of_the_store(environ)
        sinks = control_of(Path(environ["SLUICE_DATA_DIR"])).processes()[Name.SINKS].pid
        assert os.sched_getscheduler(sinks) == os.SCHED_IDLE, "ingestion comes first"
        assert up.stop(signal.SIGINT) == 0

    with started(environ) as again:
        lines = again.read_until("ready")
        assert not [line for line in lines if token in line]
        credentials = environ["SLUICE_DATA_DIR"] + "/credentials"
        assert [line for line in lines if credentials in line]
        assert Path(credentials + ".path").read_text() == credentials
        check_flower(environ)
        assert again.stop() == 0


def check_memory_of_the_store(environ: dict[str, str]) -> None:
    """It is jemalloc's where the machine has it."""
    maps = Path("/proc", str(control_of(Path(environ["SLUICE_DATA_DIR"])).processes()[Name.STORE].pid), "maps")
    if maps.exists():
        assert ("jemalloc" in maps.read_text()) == bool(ctypes.util.find_library("jemalloc"))


def check_flower(environ: dict[str, str]) -> None:
    """Its pages want the password that was made, its metrics do not."""
    url = f"http://{LOOPBACK}:{environ['SLUICE_FLOWER_PORT']}"
    password = base64.b64encode((Path(environ["SLUICE_DATA_DIR"]) / "flower_auth").read_bytes().strip()).decode()
    assert send_request(url, "GET", "/workers", headers={}).status == 401
    assert send_request(url, "GET", "/workers", headers={"Authorization": f"Basic {password}"}).status == 200
    metrics = send_request(url, "GET", "/metrics", headers={})
    assert (metrics.status, b"# TYPE flower_worker_online gauge" in metrics.body) == (200, True)


def test_a_second_one_on_the_same_folder_says_so_in_one_line(running: Running) -> None:
    second = subprocess.run([sys.executable, "-m", "deploy.up"], env=running.environ, capture_output=True, text=True)
    assert second.returncode == 1
    assert second.stdout == ""
    assert re.fullmatch(r"sluice: the data folder .* is in use by another Sluice \(process \d+\): .*\n", second.stderr)


def test_whatever_is_killed_comes_back_and_nothing_accepted_is_lost(running: Running) -> None:
    [made] = [line for line in running.lines if "made for you" in line]
    found = re.search(r"key (\S+)  token (\S+)", made)
    assert found
    url = f"http://{LOOPBACK}:{running.environ['SLUICE_PORT']}"
    control = control_of(running.folder)

    for number, name in enumerate(STOP_ORDER):
        batch = DemoBatch("PUT", "items", [{"id": str(number), "name": f"before {name}"}])
        # The process of an ingress killed before may take it and end without an answer, and then nobody is there.
        wait_until(partial(_sent, url, found, batch), "the batch is taken", timeout_s=30)
        before = control.processes()[name].pid
        assert before  # 0 would stand for the tests themselves
        os.kill(before, signal.SIGKILL)
        assert f"{name} ended and was started again" in running.up.read_until(str(name))[-1]
        whole = partial(_whole, url, found, number + 1)
        wait_until(whole, f"all is well after {name} was killed", timeout_s=60, every_s=0.2)
        assert control.processes()[name].pid != before


def _sent(url: str, credential: re.Match[str], batch: DemoBatch) -> bool:
    try:
        Client(url, *credential.groups()).send(batch, idempotency_key=batch.entries[0]["id"])
    except ConnectionError:
        return False
    return True


def _whole(url: str, credential: re.Match[str], expected: int) -> bool:
    try:
        client = Client(url, *credential.groups())
        return client.status_counts()["DONE"] == len(list(client.entries("items"))) == expected
    except OSError:
        return False


def test_when_it_is_killed_itself_nothing_is_left_running(running: Running) -> None:
    pids = [process.pid for process in control_of(running.folder).processes().values()]
    assert len(pids) == len(Name)
    assert running.up.stop(signal.SIGKILL) == -signal.SIGKILL
    wait_until(lambda: not any(map(_runs, pids)), "all services end", timeout_s=60)
    wait_until(lambda: _free(running.folder), "the data folder is free", timeout_s=10)


def _free(folder: Path) -> bool:
    with contextlib.suppress(Misconfigured):
        open_folder(folder).close()
        return True
    return False


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_service_that_cannot_start_is_named_with_its_log(environ: dict[str, str]) -> None:
    broken = subprocess.run(
        [sys.executable, "-m", "deploy.up"],
        env=environ | {"SLUICE_BROKER_URL": "nonsense://nowhere"},
        capture_output=True,
        text=True,
    )
    assert broken.returncode == 1
    assert re.search(r"^sluice: \w+ ended at once\. Its log, \S+/log/\w+\.log, says:$", broken.stderr, re.MULTILINE)


def test_a_log_damaged_by_a_power_cut_is_named_with_the_command_that_mends_it(environ: dict[str, str], up: Up) -> None:
    up.read_until("ready")
    assert up.stop() == 0
    folder = Path(environ["SLUICE_DATA_DIR"])
    [log] = (folder / "store/appendonlydir").glob("*.incr.aof")
    with log.open("ab") as out:
        out.write(bytes(5000))
    broken = subprocess.run([sys.executable, "-m", "deploy.up"], env=environ, capture_output=True, text=True)
    assert broken.returncode == 1
    assert "`make mend` mends it" in broken.stderr.splitlines()[0]
    subprocess.run([sys.executable, "-m", "deploy.mend", "--yes"], env=environ, check=True, capture_output=True)
    again = Up(environ)
    again.read_until("ready")
    assert again.stop() == 0


def test_folders_with_spaces_will_do(tmp_path: Path) -> None:
    """Those of the data and of the code: everything starts, and a batch is applied."""
    code = tmp_path / "a checkout"
    for package in ("api", "deploy", "shared", "workers"):
        shutil.copytree(ROOT / package, code / package, ignore=shutil.ignore_patterns("__pycache__"))
    environ = up_environ(tmp_path / "data & more" / "var", CREDENTIALS="acme:token")
    up = Up(environ, cwd=code)
    try:
        lines = up.read_until("ready")
        assert [line.split()[0] for line in lines[:4]] == ["store", "ingress", "worker", "flower"]
        url = f"http://{LOOPBACK}:{environ['SLUICE_PORT']}"
        ready = send_request(url, "GET", "/health/ready", headers={}).json()
        assert ready == {"status": "ok", "store": "ok", "broker": "ok", "workers": ready["workers"]}
        customer = Customer(url, "acme", "token")
        customer.done(customer.put({"id": "a", "name": "A"}))
    finally:
        assert up.stop() == 0
