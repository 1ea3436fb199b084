"""A store that comes back without its last second: what that takes, and what it never does."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.stack import embedded_store
from shared.waiting import wait_until
from tests.acceptance.customer import Customer
from tests.support.batches import items
from tests.support.fleet import Fleet, running_fleet

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(
        tmp_path_factory.mktemp("lost"), credentials="old:token,born:token", lease_ttl_s=1.0, sweep_s=0.2
    ) as fleet:
        yield fleet


def log_of(fleet: Fleet) -> Path:
    """Name the file that the store's last second is in."""
    [log] = (fleet.folder / "store" / "appendonlydir").glob("*.incr.aof")
    return log


def lose(fleet: Fleet, length: int) -> None:
    """Kill the store and cut its log back, as a machine without power does that had not written the rest."""
    fleet.store.hold_back(3600)
    fleet.store.signal(signal.SIGKILL)
    wait_until(lambda: not embedded_store.answers(fleet.socket_path), "the store is gone", timeout_s=10)
    with log_of(fleet).open("r+b") as log:
        log.truncate(length)
    fleet.store.hold_back(0)
    wait_until(lambda: embedded_store.answers(fleet.socket_path), "the store is back", timeout_s=20)


def send(customer: Customer, name: str) -> int:
    """Send a batch under its name, as often as it takes to be answered."""
    headers = {"Idempotency-Key": name}

    def answered() -> int:
        answer = customer.call("PUT", "/v2/items", body={"items": items(name)}, headers=headers)
        return answer.json()["task_id"] if answer.status == 200 else 0

    return wait_until(answered, f"{name} is accepted", timeout_s=20)


def test_no_id_is_given_out_twice_not_even_in_a_catalog_that_was_lost_whole(fleet: Fleet) -> None:
    """Again and again; and who sends again with the same Idempotency-Key has the batch applied once in the end."""
    old, born = (Customer(fleet.urls[0], key, "token") for key in ("old", "born"))
    given: list[int] = []
    for number in range(3):
        # From the first answer on it is on the disk which run of the server this is.
        send(old, f"{number}")
        length = log_of(fleet).stat().st_size
        given += [send(born, "a"), send(born, "b")]
        lose(fleet, length)
    again = send(born, "a"), send(born, "b")
    assert len({*given, *again}) == len(given) + 2
    assert list(again) == sorted(again)
    assert max(given) < again[0]
    born.wait_all_ended()
    assert sorted((task.id, task.status) for task in born.tasks()) == [(task_id, "DONE") for task_id in again]
    assert [entry_id for entry_id, _ in born.entries()] == ["a", "b"]
    assert send(born, "a") == again[0]
