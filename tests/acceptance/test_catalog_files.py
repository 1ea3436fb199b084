"""Catalogue files on real processes: sent by the official client, cut off, and applied by workers that die."""

from __future__ import annotations

import http.client
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from constructor_io.constructor_io import ConstructorIO
from constructor_io.helpers.exception import HttpException

from api.cli.main import sluice
from deploy.restart import children
from deploy.stack.services import Name
from shared.store.client import connect
from shared.waiting import wait_until
from tests.acceptance import processes
from tests.acceptance.conftest import OpenSite
from tests.acceptance.customer import Customer
from tests.acceptance.site import Site
from tests.support.files import MULTIPART, multipart
from tests.support.key_checker import check_keys

#: A small catalogue as a shop exports it, names beyond ASCII included.
EXAMPLES = Path(__file__).parents[2].parent / "shared" / "data" / "integration-examples"

needs_examples = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the example catalogue is not there")


@pytest.fixture(scope="module")
def site(open_site: OpenSite) -> Iterator[Site]:
    with open_site(lease_ttl_s=2.1, sweep_s=0.5) as running:
        yield running


@pytest.fixture
def client(customer: Customer) -> ConstructorIO:
    options = {"api_key": customer.catalog_key, "api_token": customer.token, "service_url": customer.url}
    return ConstructorIO(options)


def upload(customer: Customer, method: str, body: bytes, **query: Any) -> int:
    answer = customer.call(method, "/v1/catalog", body=body, headers=MULTIPART, **query)
    return int(answer.ok()["task_id"])


def rows(first: int, last: int, mark: str) -> str:
    return "id,item_name,metadata:mark\n" + "".join(f"i{i:06d},Item {i},{mark}\n" for i in range(first, last))


def check_store(site: Site) -> None:
    with connect(site.stack.environ["SLUICE_REDIS_URL"]) as client:
        check_keys(client)


@needs_examples
def test_the_example_catalogue_goes_in_by_the_official_client(client: ConstructorIO, customer: Customer) -> None:
    with (
        (EXAMPLES / "items.csv").open("rb") as items,
        (EXAMPLES / "variations.csv").open("rb") as variations,
        (EXAMPLES / "item_groups.csv").open("rb") as groups,
    ):
        files = {"items": items, "variations": variations, "item_groups": groups, "section": "Products"}
        customer.done(client.catalog.replace_catalog(files)["task_id"])
    _check_examples(customer)


@needs_examples
def test_the_example_catalogue_goes_in_as_an_archive(customer: Customer) -> None:
    name = f"{customer.catalog_key}_Products_sync_2026-01-01-00-00-00.tar.gz"
    sent = multipart([(name, name, (EXAMPLES / "catalog.tar.gz").read_bytes())])
    customer.done(upload(customer, "PUT", sent))
    _check_examples(customer)


def _check_examples(customer: Customer) -> None:
    items = customer.call("GET", "/v2/items", num_results_per_page=1000).ok()["items"]
    assert len(items) == 11
    by_id = {item["id"]: item for item in items}
    assert by_id["luistrenker-jacket-K245511299-cream"]["name"] == "Jacket “Rivka“ Luis Trenker cream"
    assert by_id["10008"]["data"]["group_ids"] == ["StyleA", "BrandA"]
    assert by_id["10001"]["data"]["facets"] == {"Color": ["Blue"], "Brand": ["XYZ"]}
    [variation] = customer.call("GET", "/v2/variations", item_id="10001").ok()["variations"]
    assert variation["data"]["facets"] == {"Color": ["red", "Blue"]}
    [tree] = customer.call("GET", "/v1/item_groups").ok()["item_groups"]
    assert [child["id"] for child in tree["children"]] == ["Brands", "Styles"]


def test_the_official_client_updates_and_patches(client: ConstructorIO, customer: Customer, tmp_path: Path) -> None:
    def sent(text: str) -> Any:
        path = tmp_path / "items.csv"
        path.write_text(text, encoding="utf-8")
        return path.open("rb")

    catalog = client.catalog
    customer.done(catalog.update_catalog({"items": sent("id,item_name,metadata:x\na,A,1\nb,B,1\n")})["task_id"])
    customer.done(catalog.patch_catalog({"items": sent("id,metadata:x\nb,2\n"), "force": True})["task_id"])
    assert [item["data"]["x"] for item in catalog.retrieve_items()["items"]] == ["1", "2"]
    with pytest.raises(HttpException) as refused:
        catalog.replace_catalog({"section": "Products"})
    assert "form-data should contain at least one of" in str(refused.value.message)


def test_a_shell_sends_files_and_follows_them(customer: Customer, tmp_path: Path) -> None:
    """`sluice upload`: what is refused is told in a line, what is accepted ends in one."""
    items, variations = tmp_path / "items.csv", tmp_path / "variations.csv"
    items.write_text(rows(0, 3_000, "x"), encoding="utf-8")
    variations.write_text("variation_id,item_id\nv,i000001\n", encoding="utf-8")

    def run(*args: object) -> tuple[str, BaseException | None]:
        where = ["--url", customer.url, "--token", customer.token]
        ran = CliRunner().invoke(sluice, ["upload", customer.catalog_key, *where, *map(str, args)])
        return ran.output, ran.exception

    output, failed = run(items, variations, "--dry-run")
    assert (failed, output.count("3,000")) == (None, 1)
    assert customer.task_list()["total_count"] == 0
    output, failed = run(items, variations, "--follow")
    assert failed is None
    assert re.fullmatch(r"task [0-9]+: DONE\n", output)
    items.write_text("id,metadata:y\ni000002,1\nnone,2\n", encoding="utf-8")
    assert "items not found: 'none'" in str(run(items, "--patch-delta", "--follow")[1])
    assert "see /v1/tasks/" in run(items, "--patch-delta", "--on-missing", "IGNORE")[0]
    assert "'item_name' is missing" in str(run(items, "--follow")[1])
    output, failed = run(items, "--patch-delta", "--dry-run")
    assert "the task would fail: 1 items do not exist" in str(failed)


def test_an_ingress_killed_during_an_upload_leaves_nothing(site: Site, customer: Customer) -> None:
    """What was staged by then expires; the next upload is as the first."""
    customer.put({"id": "there", "name": "There"})
    customer.wait_all_ended()
    head, tail = multipart({"items": rows(0, 20_000, "lost")}).rsplit(b"i019000", 1)
    with connect(site.stack.environ["SLUICE_REDIS_URL"]) as store:
        staged = f"sluice:{{{customer.catalog_key}}}:upload:*"
        connection = http.client.HTTPConnection(customer.url.removeprefix("http://"), timeout=10)
        connection.putrequest("PUT", f"/v1/catalog?key={customer.catalog_key}")
        connection.putheader("Authorization", customer.authorization)
        connection.putheader("Content-Type", MULTIPART["Content-Type"])
        connection.putheader("Content-Length", str(len(head) + len(tail)))
        connection.endheaders(head)
        wait_until(lambda: list(store.scan_iter(staged)), "chunks are staged", timeout_s=10)
        for pid in children(site.stack.pids()[Name.INGRESS]):
            os.kill(pid, signal.SIGKILL)
        with pytest.raises((http.client.HTTPException, OSError)):
            connection.getresponse()
        connection.close()
        [key] = store.scan_iter(staged)
        assert 0 < store.ttl(key) <= 600
    check_store(site)

    def serves() -> bool:
        try:
            return customer.call("GET", "/v2/items").status == 200
        except (http.client.HTTPException, OSError):
            return False

    wait_until(serves, "the ingress is back", timeout_s=20)
    assert [entry_id for entry_id, _ in customer.entries()] == ["there"]
    customer.done(upload(customer, "PUT", multipart({"items": rows(0, 10, "new")})))
    assert len(customer.entries()) == 10


def test_readers_see_the_old_catalogue_or_the_new_one_though_workers_die(site: Site, customer: Customer) -> None:
    customer.done(upload(customer, "PUT", multipart({"items": rows(0, 9_000, "old")})))
    stop, pages = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            page = customer.call("GET", "/v2/items", num_results_per_page=50, offset=7_000).ok()
            marks = {item["data"]["mark"] for item in page["items"]}
            pages.append((tuple(sorted(marks)), page["total_count"]))

    reader = threading.Thread(target=read)
    site.stop_worker()
    try:
        task_id = upload(customer, "PUT", multipart({"items": rows(2_000, 10_000, "new")}))
        customer.put({"id": "later", "name": "Later", "data": {"mark": "new"}})
        reader.start()
        site.stack.supervisor.start_service(Name.WORKER)
        wait_until(lambda: _applied(customer, task_id) >= 1_000, "it is under way", timeout_s=30, every_s=0.002)
        processes.kill_family(site.stack.pids()[Name.WORKER])
        task = customer.done(task_id, timeout_s=60)
        customer.wait_all_ended()
    finally:
        stop.set()
        reader.join()
    counts = task["result"]["changelog"]["sections"]["Products"]
    assert counts == {"items_updated": 8_000, "items_deleted": 2_000}
    assert set(pages) <= {(("old",), 9_000), (("new",), 8_000), (("new",), 8_001)}
    assert (("old",), 9_000) in pages
    assert len(customer.entries()) == 8_001
    check_store(site)


def _applied(customer: Customer, task_id: int) -> int:
    return int(customer.task(task_id)["progress"]["entries_applied"])
