"""/metrics of a running stack: all processes in one sum, whichever answers."""

from __future__ import annotations

import http.client
import re
from urllib.parse import urlsplit

import pytest

from deploy.stack.ports import LOOPBACK, free_port
from deploy.stack.services import Name
from shared.waiting import wait_until
from tests.acceptance.conftest import OpenSite
from tests.acceptance.site import Site
from tests.support.batches import items

pytestmark = pytest.mark.timeout(180)

ACCEPTED = 'sluice_entries_accepted_total{kind="items",operation="put"}'
APPLIED = 'sluice_entries_applied_total{kind="items",operation="put"}'


def read(url: str) -> dict[str, float]:
    """Every series, from a server that is asked on a connection of its own."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status == 200, text
    finally:
        connection.close()
    pairs = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {series: float(value) for series, _, value in pairs}


def test_several_processes_are_one_sum_and_none_is_lost_when_one_dies(open_site: OpenSite) -> None:
    """Two ingress processes, two drain processes: whoever is asked tells of all, and a killed one's share stays."""
    with open_site(ingress=2, workers=2) as site:
        customers = site.customers(6)
        for number in range(40):
            customers[number % 6].put(*items("a", "b", "c"))
        site.wait_all_ended(customers, timeout_s=30)
        for _ in range(8):
            told = read(site.url)
            assert told[ACCEPTED] == told[APPLIED] == 120
        assert told['sluice_tasks_ended_total{status="DONE"}'] == 40
        site.stack.kill(Name.WORKER)
        site.stack.wait_ready(Name.WORKER)
        customers[0].done(customers[0].put(*items("d")), timeout_s=30)
        wait_until(lambda: read(site.url)[APPLIED] == 121, "the last entry is counted", timeout_s=5)


def test_a_worker_elsewhere_tells_by_itself(open_site: OpenSite) -> None:
    port = free_port(LOOPBACK, 0)
    with open_site(metrics_port=port) as site:
        customer = site.customer()
        customer.done(customer.put(*items("a", "b")))
        # A task is seen DONE a moment before its worker has counted it.
        wait_until(lambda: read(f"http://{LOOPBACK}:{port}")[APPLIED] == 2, "both entries are counted", timeout_s=5)


def test_logs_of_both_sides_are_json_and_share_the_request_id(site: Site) -> None:
    customer = site.customer()
    # The first batch of a process notes the store's run too, under its id.
    customer.done(customer.put(*items("a")))
    answer = customer.send("PUT", items("b"), headers={"X-Request-Id": "find-me-1"})
    customer.done(answer.ok()["task_id"])
    for name, action in ((Name.INGRESS, "submit"), (Name.WORKER, "end_task")):
        wait_until(lambda name=name: '"find-me-1"' in site.log(name), f"it is in the log of {name}", timeout_s=10)
        found = [line for line in site.log(name).splitlines() if '"find-me-1"' in line]
        assert [re.search(r'"action":"(\w+)"', line)[1] for line in found] == [action]  # type: ignore[index]
