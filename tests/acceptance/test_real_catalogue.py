"""The daily sync as its sender meets it: a real catalogue goes in by FTPS, comes out as an export, goes in again."""

from __future__ import annotations

import gzip
import json
import os
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.stack.ports import LOOPBACK, free_port
from deploy.stack.services import Name
from shared.waiting import wait_until
from tests.acceptance.conftest import OpenSite
from tests.acceptance.customer import Customer
from tests.acceptance.site import TOKEN, Site
from tests.support.files import MULTIPART, multipart
from tests.support.ftps_client import NOW, FtpsClient

#: A small real catalogue, kept beside the project.
REAL = Path(__file__).parents[3] / "shared/data/integration-examples"
KINDS = ("items", "variations", "item_groups")
RIVKA = "luistrenker-jacket-K245511299-cream"

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not REAL.is_dir(), reason=f"the real catalogue is not at {REAL}"),
]


@pytest.fixture(scope="module")
def ftps_site(open_site: OpenSite) -> Iterator[Site]:
    ports = {"ftps_port": free_port(LOOPBACK, 0), "ftps_passive_ports": "32000-32099"}
    with open_site(**ports, lease_ttl_s=1.5) as running:
        yield running


@pytest.fixture
def shop(ftps_site: Site) -> Customer:
    return ftps_site.customer()


@pytest.fixture
def inbox(ftps_site: Site, shop: Customer) -> Iterator[FtpsClient]:
    port = ftps_site.stack.settings.ftps_port
    assert port
    with FtpsClient(ftps_site.stack.folder.path / "ftps.pem", port).enter(shop.catalog_key, TOKEN) as client:
        yield client


def accepted(reply: str) -> int:
    assert reply.startswith("226 Accepted as task "), reply
    return int(reply.split()[-1].rstrip("."))


def export(shop: Customer, part: str) -> bytes:
    """Ask for an export, wait for it, and fetch its lines by the URL alone."""
    wish = {"type": "catalog_export", "catalog_part": part}
    task = shop.done(shop.call("POST", "/v1/tasks", body=wish).ok()["task_id"])
    with urllib.request.urlopen(task["result"]["url"], timeout=20) as answer:
        return gzip.decompress(answer.read())


@pytest.mark.parametrize("archived", [True, False], ids=["tar.gz", "csv"])
def test_a_real_catalogue_goes_in_comes_out_and_goes_in_again(
    ftps_site: Site, shop: Customer, inbox: FtpsClient, archived: bool
) -> None:
    """By FTPS, by URL, by PUT: what is there at the end is byte for byte what was there first."""
    if archived:
        sent = [inbox.put(f"{shop.catalog_key}_Products_sync_{NOW}.tar.gz", (REAL / "catalog.tar.gz").read_bytes())]
    else:
        name = f"{shop.catalog_key}_Products_sync_{NOW}"
        sent = [inbox.put(f"{name}.{kind}.csv", (REAL / f"{kind}.csv").read_bytes()) for kind in KINDS]
    for reply in sent:
        task = shop.done(accepted(reply))
        assert (task["protocol"], task["type"]) == ("ftp", "ingestion")
    rivka = json.loads(dict(shop.entries())[RIVKA])
    assert rivka["name"] == "Jacket “Rivka“ Luis Trenker cream"
    exported = {kind: export(shop, kind) for kind in KINDS}
    assert [lines.count(b"\n") for lines in exported.values()] == [11, 2, 9]
    other = ftps_site.customer()
    body = multipart([(kind, f"{kind}.jsonl", lines) for kind, lines in exported.items()])
    again = other.call("PUT", "/v1/catalog", body=body, headers=MULTIPART, format="jsonl").ok()
    other.done(again["task_id"])
    for kind in KINDS:
        assert other.entries(kind) == shop.entries(kind)
        assert export(other, kind) == exported[kind]


def test_a_killed_service_leaves_nothing_of_what_was_under_way(
    ftps_site: Site, shop: Customer, inbox: FtpsClient
) -> None:
    """Its sender notices, and sends it again to the one that is started in its place."""
    name, row = f"{shop.catalog_key}_Products_sync_{NOW}.csv", b"sku-%d,A shirt\n"
    rows = b"id,item_name\n" + b"".join(row % number for number in range(20_000))
    with inbox.transfercmd(f"STOR {name}") as connection:
        connection.sendall(rows)
        killed = ftps_site.stack.kill(Name.FTPS)
        wait_until(lambda: ftps_site.stack.pids().get(Name.FTPS) not in (None, killed), "another", timeout_s=30)
    ftps_site.stack.wait_ready(Name.FTPS)
    assert shop.task_list()["total_count"] == 0
    port = ftps_site.stack.settings.ftps_port
    assert port
    with FtpsClient(ftps_site.stack.folder.path / "ftps.pem", port).enter(shop.catalog_key, TOKEN) as client:
        task = shop.done(accepted(client.put(name, rows)))
    assert task["result"]["changelog"]["sections"]["Products"]["items_updated"] == 20_000


def test_a_worker_killed_in_the_middle_of_an_export_is_succeeded(
    ftps_site: Site, shop: Customer, measured: Callable[[str], None]
) -> None:
    """By one that goes on behind the last whole piece: every item is there, once."""
    rows = b"id,item_name\n" + b"".join(b"sku-%05d,A shirt\n" % number for number in range(40_000))
    sent = shop.call("PUT", "/v1/catalog", body=multipart({"items": rows}), headers=MULTIPART).ok()
    shop.done(sent["task_id"])
    task_id = shop.call("POST", "/v1/tasks", body={"type": "catalog_export", "catalog_part": "items"}).ok()["task_id"]
    path = f"/v1/tasks/{task_id}"
    wait_until(lambda: shop.call("GET", path).json()["progress"]["entries_applied"], "a piece", timeout_s=30, every_s=0)
    for pid in (ftps_site.stack.pids()[Name.WORKER], *ftps_site.drain_processes()):
        os.kill(pid, signal.SIGKILL)
    done = shop.task(task_id)["progress"]["entries_applied"]
    measured(f"{done} of the 40,000 items of an export were written when its worker was killed")
    task = shop.done(task_id, timeout_s=60)
    assert task["result"]["count"] == 40_000
    with urllib.request.urlopen(task["result"]["url"], timeout=20) as answer:
        ids = [json.loads(line)["id"] for line in gzip.decompress(answer.read()).splitlines()]
    assert ids == [f"sku-{number:05}" for number in range(40_000)]
