"""The commands that call a running ingress: entries from a file, tasks, and what goes wrong."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api.cli.main import sluice
from api.cli.remote import entries
from shared.waiting import wait_until
from tests.acceptance.customer import Customer
from tests.support.proxy import proxied

Run = Callable[..., Result]


@pytest.fixture
def run(customer: Customer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command on the customer's catalog; the environment says where the ingress is and who asks."""
    monkeypatch.setenv("SLUICE_URL", customer.url)
    monkeypatch.setenv("SLUICE_TOKEN", customer.token)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(*words: object, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(sluice, list(map(str, words)), input=stdin)

    return run


def lines(*sent: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in sent)


def test_ndjson_is_sent_in_batches_and_followed_to_the_end(customer: Customer, run: Run) -> None:
    """In the order of the file, which may come from a pipe."""
    sent = lines(*({"id": f"sku-{number}", "name": f"N {number}"} for number in range(25)))
    ran = run("put", customer.catalog_key, "--batch", 10, "--follow", stdin=sent)
    assert (ran.exit_code, ran.output) == (0, "25 entries: 3 tasks, 1 to 3, all DONE\n")
    assert len(customer.entries()) == 25


@pytest.mark.parametrize(
    "text",
    [
        '{"items": [{"id": "a", "name": "A", "data": {"price": 19.90}}]}',
        '[{"id": "a", "name": "A", "data": {"price": 19.90}}]',
        '{\n  "items": [\n    {"id": "a",\n     "name": "A", "data": {"price": 19.90}}\n  ]\n}\n',
        '{\n  "id": "a",\n  "name": "A", "data": {"price": 19.90}}',
        '\ufeff{"id": "a", "name": "A", "data": {"price": 19.90}}\n\n',
    ],
)
def test_any_way_of_writing_entries_is_read_digit_for_digit(
    text: str, customer: Customer, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "items.json.gz").write_bytes(gzip.compress(text.encode()))
    assert run("put", customer.catalog_key, tmp_path / "items.json.gz", "--follow").exit_code == 0
    got = run("get", customer.catalog_key, "a")
    assert '"price": 19.90' in got.output
    assert json.loads(got.output)["name"] == "A"


def test_programs_get_json_and_no_progress_bars(customer: Customer, run: Run, tmp_path: Path) -> None:
    """On standard output alone; what goes wrong stays a line on standard error."""
    key, file = customer.catalog_key, tmp_path / "items.csv"
    file.write_text("id,item_name\na,A\nb,B\n")
    sent = run("put", key, "--json", "--follow", stdin=lines({"id": "a", "name": "A"}))
    told = {"entries": 1, "task_ids": [1], "tasks": [{"id": 1, "status": "DONE"}]}
    assert (json.loads(sent.stdout), sent.stderr) == (told, "")
    uploaded = run("upload", key, file, "--json", "--follow")
    assert (json.loads(uploaded.stdout)["task_id"], uploaded.stderr) == (2, "")
    assert json.loads(uploaded.stdout)["status"] == "DONE"
    would = run("upload", key, file, "--json", "--dry-run")
    assert json.loads(would.stdout)["files"]["items"]["unchanged"] == 2
    again = run("tasks", "retry", key, 2, "--json")
    assert (json.loads(again.stdout)["id"], again.stderr) == (3, "")
    assert run("upload", key, file, "--follow").output == "task 4: DONE\n"


def test_patch_and_delete_take_files_too(customer: Customer, run: Run) -> None:
    customer.done(customer.put({"id": "a", "name": "A"}, {"id": "b", "name": "B"}))
    assert run("patch", customer.catalog_key, "--follow", stdin=lines({"id": "a", "name": "AA"})).exit_code == 0
    assert run("delete", customer.catalog_key, "--follow", stdin=lines({"id": "b"})).exit_code == 0
    assert [json.loads(body)["name"] for _, body in customer.entries()] == ["AA"]


def test_the_history_of_an_entry_says_what_each_task_changed(customer: Customer, run: Run) -> None:
    """Digit for digit; as JSON for programs."""
    run("put", customer.catalog_key, "--follow", stdin=b'{"id": "a", "name": "A", "data": {"price": 19.90}}')
    run("patch", customer.catalog_key, "--follow", stdin=b'{"id": "a", "data": {"price": 17.50, "sale": true}}')
    ran = run("items", "history", customer.catalog_key, "a")
    assert [line.split("  ")[-1] for line in ran.output.splitlines()] == [
        "CHANGES", "price 19.90 → 17.50, sale (new) → true", "3 fields",
    ]  # fmt: skip
    steps = json.loads(run("items", "history", customer.catalog_key, "a", "--most", 1, "--json").output)
    assert [step["task_id"] for step in steps] == [2]


def test_what_is_refused_says_which_entries_and_what_was_accepted_before(customer: Customer, run: Run) -> None:
    """One line, exit code 1; the batches before it stay."""
    sent = lines({"id": "a", "name": "A"}, {"id": "b", "name": "B"}, {"id": "c"})
    ran = run("put", customer.catalog_key, "--batch", 2, stdin=sent)
    said = "entries 3 to 3: refused (400): items[0].name: field required (line 1). Accepted before: task 1"
    assert (ran.exit_code, str(ran.exception)) == (1, said)
    assert run("put", customer.catalog_key, stdin=b"no json").exit_code == 2
    assert run("put", customer.catalog_key, stdin=b"\n").exit_code == 2


def test_a_batch_whose_answer_is_lost_is_sent_again_and_counts_once(
    customer: Customer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "PAUSE_S", 0.01)
    host, _, port = customer.url.removeprefix("http://").partition(":")
    sent = lines({"id": "a", "name": "A"})
    with proxied((host, int(port))) as proxy:
        proxy.lose_reply_to(b"PUT /v2/items")
        ran = run("put", customer.catalog_key, "--url", f"http://{proxy.address}", "--follow", stdin=sent)
    assert (ran.exit_code, ran.output) == (0, "1 entries: task 1, all DONE\n")
    assert proxy.broken == 1
    assert len(customer.call("GET", "/v1/tasks").ok()["tasks"]) == 1


def test_programs_are_told_of_a_task_that_failed_before_the_command_fails(
    customer: Customer, run: Run, tmp_path: Path
) -> None:
    key = customer.catalog_key
    sent = run("patch", key, "--json", "--follow", stdin=lines({"id": "x", "name": "X"}))
    told = {"entries": 1, "task_ids": [1], "tasks": [{"id": 1, "status": "FAILED"}]}
    assert (json.loads(sent.stdout), sent.exit_code) == (told, 1)
    file = tmp_path / "items.jsonl"
    file.write_bytes(lines({"id": "x", "name": "X"}))
    uploaded = run("upload", key, file, "--patch-delta", "--json", "--follow")
    answer = json.loads(uploaded.stdout)
    assert ((answer["task_id"], answer["status"]), uploaded.exit_code) == ((2, "FAILED"), 1)


def test_tasks_are_listed_shown_and_re_run(customer: Customer, run: Run) -> None:
    """For people as a table, for programs as JSON."""
    key = customer.catalog_key
    customer.done(customer.put({"id": "a", "name": "A"}))
    customer.call("PATCH", "/v2/items", wait=10, body={"items": [{"id": "x", "name": "X"}]})
    table = run("tasks", "list", key).output.splitlines()
    assert [row.split()[:2] for row in table] == [["ID", "STATUS"], ["2", "FAILED"], ["1", "DONE"]]
    failed = json.loads(run("tasks", "list", key, "--status", "FAILED", "--json").output)
    assert [task["id"] for task in failed] == [2]
    assert json.loads(run("tasks", "show", key, 2).output)["status"] == "FAILED"
    assert "failed   x" in run("tasks", "entries", key, 2, "--outcome", "failed").output
    assert run("tasks", "retry", key, 2).output == "task 3: accepted, re-run of 2\n"
    missing = run("tasks", "show", key, 99)
    assert (missing.exit_code, missing.output) == (1, "")
    assert "refused (404)" in str(missing.exception)


def test_cursors_are_set_listed_and_removed(customer: Customer, run: Run) -> None:
    key = customer.catalog_key
    assert run("put", key, "--follow", stdin=lines({"id": "a", "name": "A"})).exit_code == 0
    here = customer.call("GET", "/v1/changes").ok()["next_after"]
    assert run("cursors", "set", key, "indexer", "0").output == "indexer is at 0: ok\n"
    assert run("cursors", "list", key).output.splitlines()[1].split()[:4] == ["indexer", "ok", "1", "1"]
    assert run("cursors", "set", key, "indexer", here).output == f"indexer is at {here}: ok\n"
    assert json.loads(run("cursors", "list", key, "--json").output)[0]["lag"]["tasks"] == 0
    refused = run("cursors", "set", key, "indexer", "9" + here)
    assert (refused.exit_code, "is ahead of the feed" in str(refused.exception)) == (1, True)
    assert run("cursors", "remove", key, "indexer").output == "removed\n"
    assert json.loads(run("cursors", "list", key, "--json").output) == []


def test_tail_prints_tasks_as_they_come_and_end(customer: Customer, run: Run) -> None:
    key, printed = customer.catalog_key, []
    customer.done(customer.put({"id": "a", "name": "A"}))

    class Enough(Exception):
        """The test has seen what it waited for."""

    def note(task: dict[str, Any], **_: Any) -> None:
        printed.append((task["id"], task["status"]))
        if printed[-1] == (2, "DONE"):
            raise Enough

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("api.cli.remote.tasks.as_json", note)
        tail = Thread(target=run, args=("tasks", "tail", key, "--json"))
        tail.start()
        wait_until(lambda: printed, "the first task is printed", timeout_s=30)
        customer.done(customer.put({"id": "b", "name": "B"}))
        tail.join(timeout=30)
        assert not tail.is_alive()
    assert printed[0] == (1, "DONE")
    assert printed[-1] == (2, "DONE")


def test_url_and_token_may_stand_in_a_file(
    customer: Customer, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a token anywhere, the message names the file."""
    monkeypatch.delenv("SLUICE_URL")
    monkeypatch.delenv("SLUICE_TOKEN")
    none = run("tasks", "list", customer.catalog_key)
    assert none.exit_code == 2
    assert "config.toml" in none.output
    file = tmp_path / "config/sluice/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f'url = "{customer.url}"\ntoken = "{customer.token}"\n')
    assert run("tasks", "list", customer.catalog_key).exit_code == 0
    file.write_text("token = ")
    assert "is not TOML" in run("tasks", "list", customer.catalog_key).output


def test_guards_are_set_shown_and_removed(customer: Customer, run: Run, tmp_path: Path) -> None:
    """And a task that one stopped is run again with force."""
    (tmp_path / "guard.json").write_text('{"max_deleted": 0.1, "floor": 1}')
    key = customer.catalog_key
    assert run("guards", "set", key, "items", tmp_path / "guard.json").output == "guard of items: version 1\n"
    ran = run("guards", "set", key, "items", "-", stdin=b'{"max_delete": 1}')
    assert (ran.exit_code, "max_delete: extra fields not permitted" in str(ran.exception)) == (1, True)
    assert json.loads(run("guards", "show", key, "items").output) == {"floor": 1, "max_deleted": 0.1}
    assert "items  Products  enforce" in run("guards", "list", key).output
    for body in ("put", "delete"):
        sent = lines({"id": "a", **({"name": "A"} if body == "put" else {})})
        run(body, key, "--follow", stdin=sent)
    assert "this would delete 1 of the 1 items" in run("tasks", "list", key).output
    assert run("tasks", "retry", key, 2, "--force", "--force-reason", "as meant").exit_code == 0
    task = json.loads(run("tasks", "show", key, 3, "--wait", 20).output)
    assert (task["status"], task["force_reason"]) == ("DONE", "as meant")
    assert run("guards", "remove", key, "items").output == "removed\n"
    assert [line.split()[3] for line in run("guards", "changes", key).output.splitlines()[1:]] == ["removed", "enforce"]
