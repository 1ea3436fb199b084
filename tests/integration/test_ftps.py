"""FTPS: files become tasks like those sent over HTTP, and whoever may not, or stops halfway, leaves nothing."""

from __future__ import annotations

import ftplib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from api.app import create_services
from api.ftps import create_server
from deploy.certificate import keep_certificate
from deploy.ports import LOOPBACK, free_port
from shared.errors import Misconfigured
from shared.model import NO_SECTION, Kind, Status
from shared.tasks import Task
from shared.waiting import wait_until
from tests.support.files import archive
from tests.support.ftps_client import NOW, FtpsClient
from tests.support.ingress import CREDENTIALS, READER_TOKEN, TOKEN
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer

ITEMS = "id,item_name,suggested_score,facet:colour\nsku-1,Blaues Hemd é 👕,7,blue|rot\nsku-2,Second,,\n".encode()
ITEMS_SYNC = f"{ACME}_Products_sync_{NOW}.csv"


@dataclass
class Service:
    rig: Rig
    port: int
    certificate: Path

    def client(self) -> FtpsClient:
        return FtpsClient(self.certificate, self.port)

    def tasks(self) -> list[Task]:
        """Every task there is, once all are applied, oldest first."""
        self.rig.drain()
        ids = sorted(int(member) for member in self.rig.client.zrange(self.rig.keys().tasks, 0, -1))
        return [self.rig.task(task_id) for task_id in ids]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keep_certificate(tmp_path_factory.mktemp("ftps") / "ftps.pem", LOOPBACK)


@pytest.fixture
def service(rig: Rig, store_server: StoreServer, certificate: Path) -> Iterator[Service]:
    port = free_port(LOOPBACK, 0)
    settings = replace(
        rig.settings, redis_url=store_server.url, credentials=CREDENTIALS, ftps_port=port, ftps_cert=certificate,
        ftps_passive_ports="31000-31099",
    )  # fmt: skip
    server = create_server(settings, create_services(settings, clock=rig.clock))
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            server.serve_forever(timeout=0.05, blocking=False, handle_exit=False)
        server.close_all()

    thread = threading.Thread(target=serve)
    thread.start()
    yield Service(rig, port, certificate)
    stop.set()
    thread.join()


@pytest.fixture
def entered(service: Service) -> Iterator[FtpsClient]:
    with service.client().enter(ACME, TOKEN) as client:
        yield client


def test_a_file_becomes_a_task(service: Service, entered: FtpsClient) -> None:
    """The reply names it; it says how it came, and who sent it."""
    assert entered.put(ITEMS_SYNC, ITEMS) == "226 Accepted as task 1."
    [task] = service.tasks()
    assert (task.status, task.batch.protocol, task.batch.entries) == (Status.DONE, "ftp", 2)
    assert task.batch.submitter is not None
    assert (task.batch.submitter.client, task.batch.submitter.address) == ("ftps", LOOPBACK)
    assert service.rig.bodies()["sku-1"].decode() == (
        '{"id":"sku-1","name":"Blaues Hemd é 👕","suggested_score":7,"data":{"facets":{"colour":["blue","rot"]}}}'
    )


def test_every_operation_and_every_kind(service: Service, entered: FtpsClient) -> None:
    """An archive has all kinds; of the others, the name says which."""
    groups = b"parent_id,id,name,data\n,g1,All,\ng1,g2,Some,\n"
    variations = b"variation_id,item_id,item_name\nv1,sku-1,Large\n"
    packed = archive({"items.csv": ITEMS, "variations.csv": variations, "item_groups.csv": groups})
    for name, contents in (
        (f"{ACME}_Products_sync_{NOW}.tar.gz", packed),
        (f"{ACME}_Products_delta_{NOW}.jsonl", b'{"id": "sku-3", "name": "Third"}\n'),
        (f"{ACME}_Products_patchdelta_{NOW}.csv", b"id,item_name\nsku-2,Zweites\n"),
        (f"{ACME}_Products_patchdeltacreate_{NOW}.csv", b"id,item_name\nsku-4,Fourth\n"),
        (f"{ACME}_Products_patchdeltaignore_{NOW}.csv", b"id,item_name\nnone,None\n"),
        (f"{ACME}_Products_delta_{NOW}.variations.csv", b"variation_id,item_id,item_name\nv2,sku-2,Small\n"),
        (f"{ACME}_Products_delta_{NOW}.item_groups.csv", b"parent_id,id,name\n,g3,More\n"),
        (f"{ACME}_Products_forcedelete_{NOW}.csv", b"id\nsku-1\n"),
    ):
        assert entered.put(name, contents).startswith("226"), name
    assert {task.status for task in service.tasks()} == {Status.DONE}, [task.error for task in service.tasks()]
    rig = service.rig
    assert list(rig.bodies()) == ["sku-2", "sku-3", "sku-4"]
    assert b"Zweites" in rig.bodies()["sku-2"]
    assert list(rig.bodies(Kind.VARIATIONS)) == ["v2"]
    assert list(rig.bodies(Kind.ITEM_GROUPS, section=NO_SECTION)) == ["g1", "g2", "g3"]


@pytest.mark.parametrize(
    ("name", "contents", "why"),
    [
        ("holiday.jpg", b"x", "550 the name has to begin with 'acme_', the key of this login."),
        (f"{ACME}_Products_upsert_{NOW}.csv", b"x", "550 'upsert' is none of sync, delta"),
        (f"folder/{ITEMS_SYNC}", b"x", "550 files are put here whole, into no folder."),
        (ITEMS_SYNC, b"id,item_name\nsku-1,One\nsku-2,\n", "550 items[1].name: field required (line 3)"),
        (ITEMS_SYNC, b"name;price\n", "550 items: the first line has to name the columns"),
        (f"{ACME}_Products_sync_{NOW}.tar.gz", b"PK\3\4no archive", "550 archive: it is no tar.gz"),
    ],
)
def test_what_is_no_catalogue_is_refused_with_the_reason(
    service: Service, entered: FtpsClient, name: str, contents: bytes, why: str
) -> None:
    """In the reply; nothing of it is kept, and the session goes on."""
    assert entered.put(name, contents).startswith(why)
    assert service.tasks() == []
    assert entered.put(ITEMS_SYNC, ITEMS).startswith("226")


def test_a_long_file_that_is_refused_early_is_told_so_at_its_end(service: Service, entered: FtpsClient) -> None:
    """A client looks for the reply only behind what it sends."""
    assert entered.put(ITEMS_SYNC, b"no header\n" + b"x" * 20_000_000).startswith("550 items: ")
    assert service.tasks() == []


@pytest.mark.parametrize("ending", ["csv", "jsonl", "tar.gz"])
def test_a_file_that_breaks_off_leaves_nothing(service: Service, entered: FtpsClient, ending: str) -> None:
    """Even if what arrived would be a whole file: only TLS can tell that its sender meant it so."""
    contents = {"csv": ITEMS, "jsonl": b'{"id": "a", "name": "A"}\n', "tar.gz": archive({"items.csv": ITEMS})}[ending]
    name = f"{ACME}_Products_sync_{NOW}.{ending}"
    assert entered.break_off(name, contents) == "426 The file was cut short; nothing of it was kept."
    assert service.tasks() == []
    assert entered.put(name, contents).startswith("226")


def test_a_session_that_ends_halfway_leaves_nothing(service: Service) -> None:
    client = service.client().enter(ACME, TOKEN)
    connection = client.transfercmd(f"STOR {ITEMS_SYNC}")
    connection.sendall(ITEMS * 2000)
    client.close()
    connection.close()
    uploads = f"{service.rig.keys().upload('')}*"
    wait_until(lambda: not service.rig.client.keys(uploads), "the upload is dropped", timeout_s=20)
    assert service.tasks() == []


def test_nobody_gets_in_without_tls(service: Service) -> None:
    """Neither a password nor a file goes over the wire in clear."""
    with ftplib.FTP() as plain:
        plain.connect("localhost", service.port, timeout=20)
        with pytest.raises(ftplib.error_perm, match="550 SSL/TLS required on the control channel"):
            plain.login(ACME, TOKEN)
    with service.client() as client:
        client.login(ACME, TOKEN)
        with pytest.raises(ftplib.error_perm, match="550 SSL/TLS required on the data channel"):
            client.storbinary(f"STOR {ITEMS_SYNC}", io.BytesIO(ITEMS))
    assert service.tasks() == []


@pytest.mark.parametrize(("key", "token"), [(ACME, "wrong"), ("other", TOKEN), (ACME, READER_TOKEN), ("nobody", TOKEN)])
def test_a_login_needs_a_token_that_may_write(
    service: Service, monkeypatch: pytest.MonkeyPatch, key: str, token: str
) -> None:
    monkeypatch.setattr("api.ftps._Handler.auth_failed_timeout", 0.01)
    with service.client() as client, pytest.raises(ftplib.error_perm, match=r"530 .*token that may write"):
        client.login(key, token)


def test_there_is_nothing_to_see_to_fetch_or_to_change(entered: FtpsClient) -> None:
    """The folder is empty whatever was put there, and no path leads anywhere."""
    entered.put(ITEMS_SYNC, ITEMS)
    assert entered.pwd() == "/"
    assert entered.nlst() == []
    assert list(entered.mlsd()) == []
    for command in (
        "CWD /etc",
        "RETR /etc/passwd",
        "DELE x",
        "MKD x",
        "RNFR x",
        "SIZE /etc/passwd",
        "APPE x",
        "SITE X",
    ):
        with pytest.raises(ftplib.error_perm):
            entered.voidcmd(command)
    for listed in ("/etc", ITEMS_SYNC):
        with pytest.raises(ftplib.Error):
            entered.nlst(listed)


def test_a_full_queue_is_told(service: Service, entered: FtpsClient) -> None:
    """Nothing is kept of the file, which may be sent again later."""
    waiting = service.rig.keys().waiting
    service.rig.client.hset(waiting, "tasks", service.rig.settings.queue_tasks)
    assert entered.put(ITEMS_SYNC, ITEMS).startswith("552 Too many tasks are queued")
    service.rig.client.delete(waiting)
    assert entered.put(ITEMS_SYNC, ITEMS).startswith("226")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"ftps_passive_ports": "30-20"}, "SLUICE_FTPS_PASSIVE_PORTS"),
        ({"ftps_passive_ports": "many"}, "SLUICE_FTPS_PASSIVE_PORTS"),
        ({"ftps_cert": Path(__file__)}, "SLUICE_FTPS_CERT"),
        ({"ftps_cert": Path("/nowhere")}, "SLUICE_FTPS_CERT"),
        ({"ftps_port": None}, "SLUICE_FTPS_PORT"),
    ],
)
def test_a_setting_that_cannot_be_is_named(
    rig: Rig, store_server: StoreServer, certificate: Path, settings: dict[str, object], why: str
) -> None:
    given = replace(rig.settings, redis_url=store_server.url, ftps_port=1, ftps_cert=certificate)
    with pytest.raises(Misconfigured, match=why):
        create_server(replace(given, **settings), create_services(given, clock=rig.clock))  # type: ignore[arg-type]


def test_a_file_that_is_only_named_costs_nothing(service: Service, entered: FtpsClient) -> None:
    """However often: nothing is begun before something arrives."""
    before = threading.active_count()
    for _ in range(20):
        entered.makepasv()
        assert entered.sendcmd(f"STOR {ITEMS_SYNC}").startswith("150")
    assert threading.active_count() == before
    assert service.tasks() == []
