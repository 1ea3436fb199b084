"""FTPS: files become tasks like those sent over HTTP, and whoever may not, or stops halfway, leaves nothing."""

from __future__ import annotations

import contextlib
import ftplib
import io
import random
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api.files import upload
from api.ftps.server import create_server
from api.services import create_services
from deploy.stack.certificate import keep_certificate
from deploy.stack.ports import LOOPBACK, free_port
from shared.credentials import Credential, Credentials, Scope, digest_of
from shared.errors import Misconfigured, StoreUnavailable
from shared.model import NO_SECTION, Kind, Status
from shared.outbox.outbox import Outbox, OutboxEntry
from shared.tasks.records import Task
from shared.waiting import wait_until
from tests.support.files import archive
from tests.support.ftps_client import NOW, FtpsClient
from tests.support.ingress import CREDENTIALS, READER_TOKEN, TOKEN
from tests.support.npm import install_package
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
    assert task.batch.origin.submitter is not None
    assert (task.batch.origin.submitter.client, task.batch.origin.submitter.address) == ("ftps", LOOPBACK)
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
        (f"{ACME}_Products_delta_{NOW}.variations.csv", b"variation_id,item_id\nv2,sku-2\nv4,sku-4\n"),
        (f"{ACME}_Products_delta_{NOW}.item_groups.csv", b"parent_id,id,name\n,g3,More\n"),
        (f"{ACME}_Products_forcedelete_{NOW}.csv", b"id\nsku-1\n"),
        (f"{ACME}_Products_whitelist_{NOW}.csv", b"id\nsku-2\nsku-3\n"),
    ):
        assert entered.put(name, contents).startswith("226"), name
    assert {task.status for task in service.tasks()} == {Status.DONE}, [task.error for task in service.tasks()]
    rig = service.rig
    assert list(rig.bodies()) == ["sku-2", "sku-3"]
    assert b"Zweites" in rig.bodies()["sku-2"]
    assert list(rig.bodies(Kind.VARIATIONS)) == ["v2"]
    assert list(rig.bodies(Kind.ITEM_GROUPS, section=NO_SECTION)) == ["g1", "g2", "g3"]


@pytest.mark.parametrize(
    ("name", "contents", "why"),
    [
        ("holiday.jpg", b"x", "550 the name must begin with 'acme_', the key of this login."),
        (f"{ACME}_Products_upsert_{NOW}.csv", b"x", "550 'upsert' is not one of sync, delta"),
        (f"folder/{ITEMS_SYNC}", b"x", "550 only whole files may be stored, and not in a folder."),
    ],
)
def test_what_is_no_catalogue_is_refused_with_the_reason(
    service: Service, entered: FtpsClient, name: str, contents: bytes, why: str
) -> None:
    """In the reply; nothing of it is kept, and the session goes on."""
    assert entered.put(name, contents).startswith(why)
    assert service.tasks() == []
    assert entered.put(ITEMS_SYNC, ITEMS).startswith("226")


def test_whoever_sends_by_ftps_may_be_mailed(service: Service) -> None:
    """The addresses belong to the token; a file has no parameters."""
    stored = Credential("night job", digest_of("tok-night"), {ACME: Scope.READ_WRITE}, ("ops@shop.example",))
    Credentials(service.rig.client, [], clock=service.rig.clock).store(stored)
    service.rig.clock.advance(2_000)
    with service.client().enter(ACME, "tok-night") as client:
        client.put(ITEMS_SYNC, b"id\n")
    [task] = service.tasks()
    assert (task.status, task.batch.notification_emails) == (Status.FAILED, ("ops@shop.example",))
    assert Outbox(service.rig.client, ACME).claim(service.rig.clock()) == OutboxEntry(task.id)


@pytest.mark.parametrize(
    ("name", "contents", "why"),
    [
        (ITEMS_SYNC, b"id,item_name\nsku-1,One\nsku-2,\n", f"{ITEMS_SYNC}, line 3, column 'item_name': field required"),
        (
            ITEMS_SYNC,
            b"no header\n" + b"x" * 20_000_000,
            f"{ITEMS_SYNC}, line 1: the first line must name the columns",
        ),
        (f"{ACME}_Products_sync_{NOW}.csv.gz", b"no gzip", "not a gzip file"),
        (f"{ACME}_Products_sync_{NOW}.tar.gz", b"PK\3\4no archive", "not a tar.gz archive"),
        (
            f"{ACME}_Products_sync_{NOW}.tar.gz",
            archive({"prices.csv": "x"}),
            "'prices.csv' is not named after one of 'items'",
        ),
    ],
)
def test_what_arrived_and_is_wrong_becomes_a_task_that_fails(
    service: Service, entered: FtpsClient, name: str, contents: bytes, why: str
) -> None:
    """Nobody reads the replies of a job at night; a task is mailed about, and stays."""
    service.rig.put({"id": "there", "name": "There"})
    assert entered.put(name, contents).startswith("226 Accepted as task 2, which fails: ")
    _, task = service.tasks()
    assert (task.status, task.batch.parts[0].file) == (Status.FAILED, name)
    assert why in str(task.error)
    assert list(service.rig.bodies()) == ["there"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "tar.gz"])
def test_a_file_that_breaks_off_leaves_nothing(service: Service, entered: FtpsClient, ending: str) -> None:
    """Even if what arrived would be a whole file: only TLS can tell that its sender meant it so."""
    contents = {"csv": ITEMS, "jsonl": b'{"id": "a", "name": "A"}\n', "tar.gz": archive({"items.csv": ITEMS})}[ending]
    name = f"{ACME}_Products_sync_{NOW}.{ending}"
    assert entered.break_off(name, contents) == "426 The file was truncated; nothing of it was kept."
    assert service.tasks() == []
    assert entered.put(name, contents).startswith("226")


def test_a_file_that_is_cut_at_any_byte_counts_whole_or_not_at_all(service: Service, entered: FtpsClient) -> None:
    """Whether the connection is lost there, or TLS ends in order behind what is no whole archive."""
    chance = random.Random(20261128)
    packed = archive({"items.csv": ITEMS, "variations.csv": b"variation_id,item_id\nv,sku-1\n"})
    name = f"{ACME}_Products_sync_{NOW}.tar.gz"
    for _ in range(12):
        assert entered.break_off(name, packed[: chance.randrange(len(packed) + 1)]).startswith("426")
    assert service.tasks() == []
    for stop in (*(chance.randrange(1, len(packed)) for _ in range(12)), len(packed) - 1):
        spliced = packed[:stop] + chance.choice([b"", packed])
        assert ", which fails: " in entered.put(name, spliced), stop
    assert {task.status for task in service.tasks()} == {Status.FAILED}
    assert service.rig.bodies() == {}
    assert entered.put(name, packed).startswith("226")
    assert (len(service.tasks()[-1].batch.parts), len(service.rig.bodies())) == (2, 2)


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
    monkeypatch.setattr("api.ftps.server._Handler.auth_failed_timeout", 0.01)
    with service.client() as client, pytest.raises(ftplib.error_perm, match=r"530 .*token that may write"):
        client.login(key, token)


def test_there_is_nothing_to_fetch_or_to_change(entered: FtpsClient) -> None:
    """No path leads anywhere, and what was taken in is seen and no more."""
    assert (entered.pwd(), entered.nlst(), list(entered.mlsd())) == ("/", [], [])
    entered.put(ITEMS_SYNC, ITEMS)
    for command in (
        "CWD /etc", "RETR /etc/passwd", f"RETR {ITEMS_SYNC}", f"DELE {ITEMS_SYNC}", "MKD x", "RNFR x", "RNFR /",
        "SIZE /etc/passwd", "MLST /etc", "STAT /etc", "APPE x", "SITE X",
    ):  # fmt: skip
        with pytest.raises(ftplib.error_perm):
            entered.voidcmd(command)
    with pytest.raises(ftplib.Error):
        entered.nlst("/etc")


def test_what_was_taken_in_is_seen_for_an_hour(service: Service, entered: FtpsClient) -> None:
    """Tools look whether what they sent has arrived, and has its length; nobody sees another catalog's."""
    entered.put(ITEMS_SYNC, ITEMS)
    assert entered.size(ITEMS_SYNC) == len(ITEMS)
    assert entered.nlst() == [ITEMS_SYNC]
    [(name, facts)] = list(entered.mlsd())
    assert (name, facts["size"], facts["type"]) == (ITEMS_SYNC, str(len(ITEMS)), "file")
    assert f"size={len(ITEMS)};" in entered.sendcmd(f"MLST {ITEMS_SYNC}")
    assert ITEMS_SYNC in entered.sendcmd(f"STAT {ITEMS_SYNC}") or ITEMS_SYNC in entered.sendcmd("STAT /")
    moment = datetime.strptime(entered.sendcmd(f"MDTM {ITEMS_SYNC}")[4:], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    assert moment.timestamp() == service.rig.clock() // 1000
    with service.client().enter("other", "tok-other") as other:
        assert other.nlst() == []
    service.rig.clock.advance(3600 * 1000 + 1)
    assert entered.nlst() == []
    with pytest.raises(ftplib.error_perm, match="550"):
        entered.size(ITEMS_SYNC)


TEMPORARY = [".in.{}", ".{}", "{}.tmp", "{}.part", "{}.filepart", "{}.a1b2c3d4.partial", "_{}", "{}~"]


@pytest.mark.parametrize("pattern", TEMPORARY)
def test_a_file_under_a_temporary_name_is_taken_at_its_rename(
    service: Service, entered: FtpsClient, pattern: str
) -> None:
    """It was read and checked while it came; its name and what is told of it are the final ones."""
    name = pattern.format(ITEMS_SYNC)
    assert entered.put(name, ITEMS) == f"226 Received; it becomes a task when it is renamed to {ITEMS_SYNC}."
    assert (service.tasks(), entered.size(name)) == ([], len(ITEMS))
    assert entered.rename(name, ITEMS_SYNC).startswith("250")
    assert entered.nlst() == [ITEMS_SYNC]
    [task] = service.tasks()
    assert (task.status, task.batch.parts[0].file) == (Status.DONE, ITEMS_SYNC)
    with pytest.raises(ftplib.error_perm, match="taken in under its name already"):
        entered.rename(ITEMS_SYNC, f"{ACME}_Products_delta_{NOW}.csv")


def test_a_rename_does_not_change_what_is_done(service: Service, entered: FtpsClient) -> None:
    """A delta does not become a sync; nor does what nobody renames become anything."""
    delta, temporary = f"{ACME}_Products_delta_{NOW}.csv", f"{ACME}_Products_delta_{NOW}.csv.tmp"
    entered.put(temporary, ITEMS)
    with pytest.raises(ftplib.error_perm, match=f"550 the file was received to become {delta}"):
        entered.rename(temporary, ITEMS_SYNC)
    uploads = f"{service.rig.keys().upload('')}*"
    assert service.rig.client.keys(uploads)
    service.rig.clock.advance(10 * 60 * 1000)
    assert (entered.nlst(), service.rig.client.keys(uploads), service.tasks()) == ([], [], [])


def test_a_rename_without_an_answer_of_the_store_may_be_repeated(
    service: Service, entered: FtpsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file stays meanwhile; and it is one task, also if the store has it already and only its answer was lost."""
    entered.put(f"{ITEMS_SYNC}.tmp", ITEMS)
    submit = upload.submit_batch

    def lost(*args: Any, **how: Any) -> None:
        submit(*args, **how)
        raise StoreUnavailable("the store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(upload, "submit_batch", lost)
        with pytest.raises(ftplib.error_temp, match="451 The store cannot be reached"):
            entered.rename(f"{ITEMS_SYNC}.tmp", ITEMS_SYNC)
    assert entered.rename(f"{ITEMS_SYNC}.tmp", ITEMS_SYNC).startswith("250")
    assert [task.status for task in service.tasks()] == [Status.DONE]


def test_a_rename_that_is_refused_lets_go_of_the_file(service: Service, entered: FtpsClient) -> None:
    """It has to be sent again; the session goes on."""
    entered.put(f"{ITEMS_SYNC}.tmp", ITEMS)
    service.rig.client.hset(service.rig.keys().waiting, "tasks", service.rig.settings.queue_tasks)
    for why in ("550 Too many tasks", "550 No such file"):
        with pytest.raises(ftplib.error_perm, match=why):
            entered.rename(f"{ITEMS_SYNC}.tmp", ITEMS_SYNC)
    service.rig.client.delete(service.rig.keys().waiting)
    entered.put(f"{ITEMS_SYNC}.tmp", ITEMS)
    assert entered.rename(f"{ITEMS_SYNC}.tmp", ITEMS_SYNC).startswith("250")


def test_a_stranger_may_ask_what_there_is(service: Service) -> None:
    """And gets only what works."""
    with service.client() as client:
        assert "Waiting for username" in client.sendcmd("STAT")
        features = client.sendcmd("FEAT")
        assert {"MLST", "SIZE", "MDTM", "EPSV", "UTF8"} <= set(re.findall(r"[A-Z0-9]{4,}", features))


@pytest.mark.parametrize("connection", ["data", "control"])
def test_a_half_closed_connection_is_answered_at_once(service: Service, entered: FtpsClient, connection: str) -> None:
    """And closed: half of one left open would cost a processor."""
    if connection == "data":
        entered.voidcmd("TYPE I")
        data = entered.transfercmd(f"STOR {ITEMS_SYNC}")
        data.sendall(ITEMS)
    else:
        data = entered.sock
    with socket.socket(fileno=data.detach()) as bare:
        bare.settimeout(10)
        bare.shutdown(socket.SHUT_WR)
        if connection == "data":
            with pytest.raises(ftplib.error_temp, match="426 The file was truncated"):
                entered.voidresp()
        with contextlib.suppress(ConnectionResetError):
            while bare.recv(65536):
                pass
    assert service.tasks() == []


def _program(name: str, *command: str) -> Any:
    missing = pytest.mark.skipif(shutil.which(command[0]) is None, reason=f"{command[0]} is not installed")
    return pytest.param(command, id=name, marks=missing)


_LFTP = "set cmd:fail-exit yes; set ssl:ca-file {cert}; set ftp:ssl-force yes; set ftp:ssl-protect-data yes; "
_RCLONE = ":ftp,host=localhost,port={port},user={key},pass={obscured},explicit_tls=true,no_check_certificate=true:"
_NODE = """const { Client } = require("basic-ftp");
(async () => {
  const client = new Client(20000);
  await client.access({ host: "localhost", port: {port}, user: "{key}", password: "{token}", secure: true,
                        secureOptions: { ca: require("fs").readFileSync("{cert}") } });
  await client.uploadFrom("{file}", "{name}");
  const [found] = await client.list();
  if (found.name !== "{name}" || await client.size("{name}") !== found.size) throw new Error(found);
  client.close();
})().catch(error => { console.error(error); process.exit(1); });"""
_PHP = """$c = ftp_ssl_connect("localhost", {port}, 20);
ftp_login($c, "{key}", "{token}") or exit(1); ftp_pasv($c, true);
ftp_put($c, "{name}.tmp", "{file}", FTP_BINARY) or exit(2); ftp_rename($c, "{name}.tmp", "{name}") or exit(3);
exit(ftp_size($c, "{name}") == filesize("{file}") ? 0 : 4);"""


@pytest.mark.parametrize(
    "command",
    [
        _program("curl", "curl", "-sS", "--ssl-reqd", "--cacert", "{cert}", "-T", "{file}",
                 "ftp://{key}:{token}@localhost:{port}/{name}"),
        _program("lftp", "lftp", "-u", "{key},{token}", "-p", "{port}", "-e", _LFTP + "put {file} -o {name}; bye",
                 "localhost"),
        _program("lftp with temporary names", "lftp", "-u", "{key},{token}", "-p", "{port}", "-e",
                 _LFTP + "set xfer:use-temp-file yes; put {file} -o {name}; bye", "localhost"),
        _program("rclone", "rclone", "copyto", "{file}", _RCLONE + "{name}", "--retries", "1", "--config", "/dev/null"),
        _program("rclone with a folder", "rclone", "copy", "{folder}", _RCLONE, "--config", "/dev/null"),
        _program("php", "php", "-r", _PHP),
        _program("basic-ftp", "node", "-e", _NODE),
    ],
)  # fmt: skip
def test_programs_as_they_come_send_a_file_once(service: Service, tmp_path: Path, command: tuple[str, ...]) -> None:
    """And are content, whatever they look at before and after."""
    if "basic-ftp" in command[-1]:
        install_package(tmp_path, "basic-ftp", "5.0.5")
    file = tmp_path / "feed" / ITEMS_SYNC
    file.parent.mkdir()
    file.write_bytes(ITEMS)
    facts = {
        "cert": str(service.certificate), "port": service.port, "key": ACME, "token": TOKEN, "file": str(file),
        "folder": str(file.parent), "name": ITEMS_SYNC, "obscured": "",
    }  # fmt: skip
    if command[0] == "rclone":
        obscure = subprocess.run(["rclone", "obscure", TOKEN], capture_output=True, check=True, text=True, timeout=60)
        facts["obscured"] = obscure.stdout.strip()
    names = re.compile(rf"\{{({'|'.join(facts)})\}}")
    filled = [names.sub(lambda found: str(facts[found[1]]), word) for word in command]
    ran = subprocess.run(filled, capture_output=True, text=True, timeout=90, check=False, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    [task] = service.tasks()
    assert (task.status, task.batch.entries) == (Status.DONE, 2)


def test_a_store_that_is_away_is_told(service: Service, entered: FtpsClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also before the first byte: the reply says to try again, and the session goes on."""

    def away(*_: Any) -> None:
        raise StoreUnavailable("the store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(Credentials, "find", away)
        assert entered.put(ITEMS_SYNC, ITEMS) == "451 The store cannot be reached, or is full. Please try again later."
    assert service.tasks() == []
    assert entered.put(ITEMS_SYNC, ITEMS) == "226 Accepted as task 1."


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
        ({"ftps_address": "localhost"}, "SLUICE_FTPS_ADDRESS"),
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
