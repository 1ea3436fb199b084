"""Through TLS and proxies a client is known by its own address, and everything works as without."""

from __future__ import annotations

import pytest

from tests.acceptance.customer import Customer
from tests.acceptance.doors import door_site
from tests.acceptance.site import Site
from tests.support.files import MULTIPART, multipart

__all__ = ["door_site"]


@pytest.fixture
def customer(door_site: Site) -> Customer:
    return door_site.customer()


def test_a_task_says_from_where_it_was_submitted_whatever_the_client_claims(customer: Customer) -> None:
    body = b'{"items": [{"id": "a", "name": "A"}]}'
    answer = customer.call("PUT", "/v2/items", body=body, headers={"X-Forwarded-For": "6.6.6.6"})
    task = customer.task(answer.ok()["task_id"])
    assert task["submitted_by"]["address"] == "127.0.0.1"


def test_the_url_of_an_export_is_the_one_that_its_client_can_reach(customer: Customer) -> None:
    customer.done(customer.put({"id": "a", "name": "A"}))
    body = {"type": "catalog_export", "catalog_part": "items"}
    task = customer.wait_for(customer.call("POST", "/v1/tasks", body=body).ok()["id"])
    assert str(task["result"]).count(customer.url) == 1


def test_files_of_some_length_are_taken(customer: Customer) -> None:
    rows = "id,item_name\n" + "".join(f"i{i:06},Item {i}\n" for i in range(20_000))
    answer = customer.call("PUT", "/v1/catalog", body=multipart({"items": rows}), headers=MULTIPART)
    customer.done(answer.ok()["task_id"])


def test_whoever_may_not_reads_why_also_behind_a_long_body(customer: Customer) -> None:
    stranger = Customer(customer.url, customer.catalog_key, "wrong")
    assert stranger.call("PUT", "/v2/items", body=b" " * 5_000_000).refused(401).startswith("Invalid auth_token")


def test_a_list_may_name_a_thousand_long_ids(customer: Customer) -> None:
    ids = [f"{i:04}" + "x" * 200 for i in range(1000)]
    assert customer.call("GET", "/v2/items", id=ids).ok()["total_count"] == 0


def test_the_session_of_the_integration_page_goes_over_tls_only(door_site: Site) -> None:
    assert "Secure" in door_site.get("/integration/login").headers["Set-Cookie"]
