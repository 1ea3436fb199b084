"""Guards over HTTP: rules are set, listed, versioned and removed; what breaks them is stopped."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.files import MULTIPART, multipart
from tests.support.ingress import READER_TOKEN, Ingress

RULES = {"max_updated": 0.6, "fields": {"data.price": {"factor": 3, "max_jumps": 0.05}}}


def put_rules(ingress: Ingress, rules: Any, kind: str = "items", **query: Any) -> Any:
    answer = ingress.send("PUT", f"/v1/guards/{kind}", rules, **query)
    assert answer.status_code == 200, answer.text
    return answer.json


def priced(first: float, *, count: int = 200, **more: Any) -> dict[str, Any]:
    data = {"description": "Soft", **more}
    return {"items": [{"id": f"i{i}", "name": f"n{i}", "data": {"price": first + i, **data}} for i in range(count)]}


def test_rules_are_set_versioned_and_removed_and_every_change_names_who_made_it(ingress: Ingress) -> None:
    guard = put_rules(ingress, RULES)
    assert (guard["kind"], guard["section"], guard["version"], guard["rules"]) == ("items", "Products", 1, RULES)
    assert guard["changed_by"]
    assert put_rules(ingress, RULES) == guard, "the same again changes nothing"
    assert put_rules(ingress, {"max_deleted": 0.1}, "item_groups")["version"] == 2
    assert put_rules(ingress, {}, section="Other")["version"] == 3
    assert [one["kind"] for one in ingress.get("/v1/guards")["guards"]] == ["item_groups", "items", "items"]
    assert ingress.get("/v1/guards/items") == guard
    left = ingress.send("DELETE", "/v1/guards/items").json["guards"]
    assert [one.get("section") for one in left] == [None, "Other"]
    assert ingress.send("GET", "/v1/guards/items").status_code == 404
    assert ingress.send("DELETE", "/v1/guards/items").json["guards"] == left
    assert ingress.send("DELETE", "/v1/guards/items", section="Other").json["guards"] == left[:1]
    changes = ingress.get("/v1/guards/changes")["changes"]
    assert [(one["version"], one["rules"]) for one in changes][:2] == [(5, None), (4, None)]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"max_update": 1}, "max_update: extra fields not permitted"),
        ({"max_updated": 2}, "max_updated: ensure this value is less than or equal to 1"),
        ({"max_updated": "0.5"}, "max_updated: value is not a valid float"),
        ({"mode": "off"}, "mode: value is not a valid enumeration member"),
        ({"fields": {"price": {}}}, "fields.price: value is not name"),
        ({"fields": {"data.price": {"max_jumps": 0.1}}}, "max_jumps requires factor"),
        ({"fields": {"data.price": {"at_least": 2, "at_most": 1}}}, "less than or equal to at_most"),
        ({"fields": {f"data.f{i}": {} for i in range(21)}}, "at most 20 items"),
        ({"schema": {"type": "texts"}}, "not a JSON Schema"),
        ({"schema": {"$ref": "http://127.0.0.1:1/other.json"}}, "is no reference of the form"),
        ({"schema": {"enum": ["x" * 64_000]}}, "at most 64000 bytes"),
        ([], "value is not a valid dict"),
    ],
)
def test_rules_that_are_none_are_refused_and_it_is_said_where(ingress: Ingress, rules: Any, said: str) -> None:
    answer = ingress.send("PUT", "/v1/guards/items", rules)
    assert (answer.status_code, said in answer.json["message"]) == (400, True), answer.text
    assert ingress.get("/v1/guards")["guards"] == []


def test_whoever_may_only_read_sets_none(ingress: Ingress) -> None:
    assert ingress.send("PUT", "/v1/guards/items", RULES, token=READER_TOKEN).status_code == 403


@pytest.mark.parametrize("chunks", [1, 3])
def test_a_batch_that_breaks_rules_fails_with_the_numbers_and_the_worst_entries(ingress: Ingress, chunks: int) -> None:
    count = 200 + 1000 * (chunks - 1)
    ingress.write("PUT", "/v2/items", priced(10, count=count))
    ingress.rig.drain()
    put_rules(ingress, RULES)
    bad = priced(10, count=count)
    for item in bad["items"][7:]:
        item["data"]["price"] *= 100
    task_id = ingress.write("PUT", "/v2/items", bad)
    ingress.rig.drain()
    task = ingress.get(f"/v1/tasks/{task_id}")
    assert task["status"] == "FAILED"
    assert f"data.price of {count - 7} of the {count} items sent" in task["error"]["message"]
    assert "would change by more than a factor of 3; at most 5 % may" in task["error"]["message"]
    assert "'i7': 17 → 1700" in task["error"]["message"]
    assert task["planned"]["items"]["updated"] == count - 7
    assert task["planned"]["items"]["unchanged"] == 7
    assert task["planned"]["items"]["fields"]["data.price"]["numbers"]["by_more_than_tenfold"] == count - 7
    worst = ingress.get(f"/v1/tasks/{task_id}/entries", outcome="failed")["entries"]
    assert [one["id"] for one in worst] == [f"i{i}" for i in range(7, 17)]
    assert worst[0]["reason"] == "data.price: 17 → 1700"
    assert ingress.get("/v2/items/i9")["data"]["price"] == 19


def test_force_goes_past_shares_with_its_reason_in_the_task_but_not_past_a_schema(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", priced(10))
    ingress.rig.drain()
    schema = {"properties": {"price": {"type": "number"}}, "required": ["price"]}
    put_rules(ingress, {**RULES, "required": ["data.description"], "schema": schema})
    forced = {"force": "true", "force_reason": "new currency"}
    done = ingress.write("PUT", "/v2/items", priced(1000), **forced)
    failed = ingress.write("PUT", "/v2/items", priced(1000, price="twelve", description=""), **forced)
    ingress.rig.drain()
    task = ingress.get(f"/v1/tasks/{done}")
    assert (task["status"], task["force_reason"]) == ("DONE", "new currency")
    [first, *_] = task["result"]["ingestion_warnings"]
    assert (first["code"], "force=true: new currency" in first["message"]) == ("GUARD_WAIVED", True)
    error = ingress.get(f"/v1/tasks/{failed}")["error"]["message"]
    assert "200 items have no data.description, which is required" in error
    assert '200 items break the schema (such as \'i0\': data.price: "twelve" is not of type "number"' in error
    assert "force=true does not waive required fields or a schema" in error
    assert ingress.get("/v2/items/i9")["data"]["price"] == 1009


def test_a_guard_that_only_warns_lets_everything_through(ingress: Ingress) -> None:
    put_rules(ingress, {**RULES, "mode": "warn", "schema": False})
    for price in (10, 1000):
        ingress.write("PUT", "/v2/items", priced(price))
    ingress.rig.drain()
    task = ingress.get("/v1/tasks/2")
    assert task["status"] == "DONE"
    messages = [one["message"] for one in task["result"]["ingestion_warnings"] if one["code"] == "GUARD"]
    assert [fact in messages[i] for i, fact in enumerate(["break the schema", "would update 200", "factor of 3"])]
    assert len(task["planned"]["items"]["broken"]) == 3


def test_small_batches_do_not_trip_and_neither_does_a_first_feed(ingress: Ingress) -> None:
    put_rules(ingress, {**RULES, "max_created": 0.1})
    for price, count in ((10, 200), (5000, 50)):
        task_id = ingress.write("PATCH" if count == 50 else "PUT", "/v2/items", priced(price, count=count))
        ingress.rig.drain()
        assert ingress.get(f"/v1/tasks/{task_id}")["status"] == "DONE"


def test_without_a_guard_a_task_has_no_plan(ingress: Ingress) -> None:
    task_id = ingress.write("PUT", "/v2/items", priced(10))
    ingress.rig.drain()
    assert "planned" not in ingress.get(f"/v1/tasks/{task_id}")


def test_a_task_that_was_stopped_is_run_again_with_force_and_the_reason(ingress: Ingress) -> None:
    """As a new task; the old one stays FAILED."""
    ingress.write("PUT", "/v2/items", priced(10))
    put_rules(ingress, {**RULES, "floor": 1})
    ingress.rig.drain()
    stopped = ingress.write("PUT", "/v2/items", priced(1000))
    ingress.rig.drain()
    path = f"/v1/tasks/{stopped}"
    refused = ingress.send("PATCH", path, {"status": "CANCELED", "force": True})
    assert refused.json["message"] == "force: only a task that is run again can have force"
    plainly = ingress.send("PATCH", path, {"status": "QUEUED"}).json["id"]
    forced = ingress.send("PATCH", path, {"status": "QUEUED", "force": True, "force_reason": "it is right"}).json["id"]
    ingress.rig.drain()
    assert [ingress.get(f"/v1/tasks/{id_}")["status"] for id_ in (stopped, plainly, forced)] == [
        "FAILED",
        "FAILED",
        "DONE",
    ]
    task = ingress.get(f"/v1/tasks/{forced}")
    assert (task["retry_of"], task["force_reason"]) == (stopped, "it is right")
    assert ingress.get("/v2/items/i9")["data"]["price"] == 1009


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_each_of_several_tasks_of_a_round_is_judged_by_what_is_there_then(ingress: Ingress, method: str) -> None:
    """They share one read: each sees what the one before has planned, and nothing of one that was stopped."""
    ingress.write("PUT", "/v2/items", priced(10))
    ingress.rig.drain()
    put_rules(ingress, RULES)
    prices = (20, 50, 1000, 51)
    ids = [ingress.write(method, "/v2/items", priced(price)) for price in prices]
    ingress.rig.drain()
    assert [ingress.get(f"/v1/tasks/{id_}")["status"] for id_ in ids] == ["FAILED"] * 4, "updates more than 60 %"
    put_rules(ingress, {"fields": RULES["fields"]})
    ids = [ingress.write(method, "/v2/items", priced(price)) for price in prices]
    ingress.rig.drain()
    tasks = [ingress.get(f"/v1/tasks/{id_}") for id_ in ids]
    assert [task["status"] for task in tasks] == ["DONE", "DONE", "FAILED", "DONE"]
    assert "'i0': 50 → 1000" in tasks[2]["error"]["message"]


def test_deletions_and_other_kinds_have_rules_of_their_own(ingress: Ingress) -> None:
    """The safeguard of one half is the rule that is in force without any."""
    groups = {"item_groups": [{"id": f"g{i}", "name": f"G{i}", "parent_ids": []} for i in range(200)]}
    ingress.write("PUT", "/v2/items", priced(10))
    ingress.write("PUT", "/v2/item_groups", groups)
    ingress.rig.drain()
    put_rules(ingress, {"max_deleted": 0.1}, "item_groups")
    put_rules(ingress, {**RULES, "max_deleted": 0.9, "required": ["name"], "schema": False}, "items")
    gone = {"item_groups": [{"id": f"g{i}"} for i in range(21)]}
    ids = [
        ingress.write("DELETE", "/v2/item_groups", gone),
        ingress.write("DELETE", "/v2/item_groups", {"item_groups": gone["item_groups"][1:]}),
        ingress.write("DELETE", "/v2/items", {"items": [{"id": f"i{i}"} for i in range(180)]}),
    ]
    ingress.rig.drain()
    tasks = [ingress.get(f"/v1/tasks/{id_}") for id_ in ids]
    assert [task["status"] for task in tasks] == ["FAILED", "DONE", "DONE"]
    said = "this would delete 21 of the 200 item groups, more than 10%; send force=true if this is intended"
    assert tasks[0]["error"]["message"] == f"IngestionError: {said}"
    assert tasks[1]["planned"]["item_groups"]["deleted"] == 20


def test_a_file_is_judged_before_the_first_row_is_written_and_by_every_kind(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", priced(10))
    ingress.rig.drain()
    put_rules(ingress, {"max_created": 0.1}, "items")
    put_rules(ingress, {"required": ["name"]}, "variations")
    rows = "id,item_name\n" + "".join(f"i{i},n{i}\n" for i in range(100, 240))
    variations = "variation_id,item_id,item_name\n" + "".join(f"v{i},i{i},\n" for i in range(3))
    files = multipart({"items": rows, "variations": variations})
    task_id = ingress.write("PATCH", "/v1/catalog", files, headers=MULTIPART)
    synced = ingress.write("PUT", "/v1/catalog", files, headers=MULTIPART)
    ingress.rig.drain()
    for id_ in (task_id, synced):
        task = ingress.get(f"/v1/tasks/{id_}")
        assert task["status"] == "FAILED"
        assert (
            "this would create 40 items, 20 % of the 200 that are stored; at most 10 % may be"
            in (task["error"]["message"])
        )
        assert "3 variations have no name, which is required" in task["error"]["message"]
        assert task["progress"]["entries_applied"] == 0
    assert task["planned"]["items"]["deleted"] == 100
    failed = ingress.get(f"/v1/tasks/{task_id}/entries", outcome="failed")["entries"]
    assert [(one["index"], one["reason"]) for one in failed] == [(140 + i, "name is missing") for i in range(3)]


def test_variations_that_go_along_with_a_list_of_ids_are_limited_though_nothing_is_planned_of_them(
    ingress: Ingress,
) -> None:
    """Nothing was counted before the first was applied: no number is better than a wrong one."""
    ingress.write("PUT", "/v2/items", priced(10))
    rows = [{"id": f"v{i}", "item_id": f"i{i}", "name": "V"} for i in range(200)]
    ingress.write("PUT", "/v2/variations", {"variations": rows})
    put_rules(ingress, {"max_created": 0.1}, "items")
    put_rules(ingress, {"max_deleted": 0.1}, "variations")
    ingress.rig.drain()
    found = []
    for kept in (190, 150):
        files = multipart({"items": "id\n" + "".join(f"i{i}\n" for i in range(kept))})
        task_id = ingress.write("PUT", "/v1/catalog", files, headers=MULTIPART, mode="ids")
        ingress.rig.drain()
        task = ingress.get(f"/v1/tasks/{task_id}")
        found.append((task["status"], list(task["planned"])))
    assert found == [("DONE", ["items"]), ("FAILED", ["items"])]
    assert "this would delete 40 of the 190 variations in section 'Products', more than 10%" in task["error"]["message"]


def test_items_that_come_behind_their_variations_are_judged_by_what_changes(ingress: Ingress) -> None:
    """Though such a sync counts all of them as updated."""
    items = "id,item_name\n" + "".join(f"i{i},N\n" for i in range(200))
    variations = "variation_id,item_id\nv,i0\n"
    ingress.write("PUT", "/v1/catalog", multipart({"items": items, "variations": variations}), headers=MULTIPART)
    ingress.rig.drain()
    assert ingress.send("PUT", "/v1/guards/items", {"max_updated": 0.1, "required": ["name"]}).status_code == 200
    again = multipart({"variations": variations, "items": items.replace("i0,N", "i0,M")})
    task_id = ingress.write("PUT", "/v1/catalog", again, headers=MULTIPART)
    ingress.rig.drain()
    task = ingress.get(f"/v1/tasks/{task_id}")
    assert task["status"] == "DONE"
    planned = task["planned"]["items"]
    assert (planned["updated"], planned["unchanged"], planned["deleted"]) == (1, 199, 0)
