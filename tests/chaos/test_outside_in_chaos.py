"""What those outside of a chaos run would notice: files, webhooks and exports that are not as they should be."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tests.chaos.outside.archivist import Archivist, KeptExport
from tests.chaos.outside.ftps_files import FtpsSender, SentFile
from tests.chaos.outside.listener import Listener
from tests.support.laws import Accepted, LawBroken, SeenTask
from tests.support.receivers import Call, Endpoint

SECRET = "whsec_" + "a" * 40
NOW = datetime(2026, 1, 31, tzinfo=UTC)
TASKS = [SeenTask(1, "DONE", {}, ()), SeenTask(2, "FAILED", {}, (), "wrong")]


def customer(accepted: list[Accepted] | None = None, **names: int) -> Any:
    """One whose catalog has done two tasks, and has tasks of files of some names."""
    made = SimpleNamespace(ok=lambda: {"id": "wh_1", "secret": SECRET})
    pages = [{"id": task_id, "files": {"items": {"name": f"{name}.tar.gz/items"}}} for name, task_id in names.items()]
    return SimpleNamespace(
        catalog_key="shop", accepted=accepted or [], tasks=lambda: TASKS, task_pages=lambda: pages,
        call=lambda *_, **__: made,
    )  # fmt: skip


# -- files ------------------------------------------------------------------------------------------------------------


def sender(*, is_taken: bool) -> FtpsSender:
    """One who has sent two files, and does not know which task the first is."""
    ftps = FtpsSender(door=None)  # type: ignore[arg-type]
    ftps.nameless["shop"].append((SentFile("night.tar.gz", b"", Accepted(0, "items", "put", [])), is_taken))
    return ftps


def test_a_file_without_a_reply_is_found_by_its_name() -> None:
    one = customer([Accepted(1, "items", "put", [])], day=1, night=2)
    sender(is_taken=True).find_tasks(one, may_have_lost=False)
    assert [batch.task_id for batch in one.accepted] == [1, 2]


def test_a_file_without_a_reply_may_be_no_task() -> None:
    one = customer()
    sender(is_taken=False).find_tasks(one, may_have_lost=False)
    assert one.accepted == []


def test_a_file_that_was_taken_and_is_no_task_is_noticed() -> None:
    with pytest.raises(LawBroken, match="night"):
        sender(is_taken=True).find_tasks(customer(day=1), may_have_lost=False)


def test_a_file_that_is_two_tasks_is_noticed() -> None:
    twice = customer()
    twice.task_pages = lambda: customer(night=1).task_pages() + customer(night=2).task_pages()
    with pytest.raises(LawBroken, match="night"):
        sender(is_taken=False).find_tasks(twice, may_have_lost=False)


# -- webhooks ---------------------------------------------------------------------------------------------------------


def call(task_id: int, status: str, *, name: str = "", secret: str = SECRET) -> Call:
    """Make the call about a task, as it comes in."""
    name = name or f"msg_{task_id}"
    body = json.dumps({"type": f"task.{status.lower()}", "data": {"key": "shop", "task_id": task_id, "status": status}})
    signed = {"webhook-signature": Webhook(secret).sign(name, NOW, body)}
    return Call("/shop", {"webhook-id": name, "webhook-timestamp": f"{NOW.timestamp():.0f}", **signed}, body.encode())


def listen(*calls: Call, statuses: tuple[str, ...] = ()) -> None:
    listener = Listener(customer(), Endpoint("", list(calls)), "http://127.0.0.1:9", statuses)
    listener.check(TASKS, may_have_lost=False)


def test_whoever_is_told_of_all_at_least_once_is_content() -> None:
    listen(call(2, "FAILED"), call(1, "DONE"), call(1, "DONE"))
    listen(call(2, "FAILED"), statuses=("FAILED",))


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ([call(1, "DONE")], "was not told of 1 tasks"),
        ([call(1, "DONE"), call(2, "FAILED"), call(3, "DONE")], "never was"),
        ([call(1, "DONE"), call(2, "FAILED"), call(2, "DONE")], "never was"),
        ([call(1, "DONE"), call(2, "FAILED"), call(2, "FAILED", name="msg_other")], "several ids"),
        ([call(1, "DONE"), call(2, "FAILED", secret="whsec_" + "b" * 40)], "signature"),
    ],
)
def test_what_is_told_wrongly_or_not_at_all_is_noticed(calls: list[Call], why: str) -> None:
    with pytest.raises(LawBroken, match=why):
        listen(*calls)


def test_what_nobody_wanted_to_know_is_noticed() -> None:
    with pytest.raises(LawBroken, match="nobody wanted"):
        listen(call(1, "DONE"), call(2, "FAILED"), statuses=("FAILED",))


# -- exports ----------------------------------------------------------------------------------------------------------


def archive(task_id: int, *lines: str) -> None:
    """Check a file that was exported from a catalogue in which the first task put one item."""
    keeper = Archivist(customer([Accepted(1, "items", "put", [b'{"id":"a"}'])]), 1, may_have_lost=False)
    file = gzip.compress("\n".join(lines).encode())
    result = {"count": len(lines), "sha256": hashlib.sha256(file).hexdigest()}
    keeper.kept.append(KeptExport(task_id, "items", "jsonl", result, file))
    keeper.check()


def test_a_file_of_the_catalogue_at_its_turn_is_let_pass() -> None:
    archive(2, '{"id":"a"}')


@pytest.mark.parametrize("lines", [(), ('{"id":"a","name":"A"}',), ('{"id":"a"}', '{"id":"b"}')])
def test_a_file_of_another_catalogue_is_noticed(lines: tuple[str, ...]) -> None:
    with pytest.raises(LawBroken, match="export"):
        archive(2, *lines)
