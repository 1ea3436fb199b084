"""Promises about the rules and their wording."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from api.entries.checked_batch import parse_batch
from api.errors import Invalid
from api.schemas.base import load_body, load_query
from api.tasks.schemas import TaskChangeSchema, TaskChangesSchema, TasksQuery
from api.v2.queries import ItemsQuery, PatchQuery, VariationsQuery, WriteQuery
from shared.model import Kind, OnInvalid, OnMissing, Operation, Status

GOOD = {"id": "a", "name": "Shoe"}
PUT, PATCH, DELETE = Operation.PUT, Operation.PATCH, Operation.DELETE


def refusal_of(
    body: Any,
    *,
    kind: Kind = Kind.ITEMS,
    operation: Operation = PUT,
    on_missing: OnMissing = OnMissing.FAIL,
    max_entries: int = 10_000,
) -> str:
    """Give the message that a body is refused with, or "" if it is taken."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        parse_batch(text, kind=kind, operation=operation, on_missing=on_missing, max_entries=max_entries)
    except Invalid as refused:
        return refused.message
    return ""


def refusal_of_entry(entry: Any, **batch: Any) -> str:
    kind = batch.get("kind", Kind.ITEMS)
    return refusal_of({kind.value: [entry]}, **batch)


def refusal_of_query(schema: Any, query: list[tuple[str, str]]) -> str:
    try:
        load_query(schema, MultiDict(query))
    except Invalid as refused:
        return refused.message
    return ""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "items: field required"),
        ({"items": None}, "items: none is not an allowed value"),
        ({"items": "a"}, "items: value is not a valid list"),
        ({"items": {"id": "a"}}, "items: value is not a valid list"),
        ({"items": []}, "items: ensure this value has at least 1 items"),
        ({"items": [GOOD] * 10_001}, "items: ensure this value has at most 10000 items"),
        ({"items": [5]}, "items[0]: value is not a valid dict"),
        ({"items": [None]}, "items[0]: value is not a valid dict"),
        ({"items": [{"id": "a"}]}, "items[0].name: field required"),
        ({"items": [{"name": "a"}]}, "items[0].id: field required"),
        ({"items": [{**GOOD, "id": ""}]}, "items[0].id: ensure this value has at least 1 characters"),
        ({"items": [{**GOOD, "id": "a" * 251}]}, "items[0].id: ensure this value has at most 250 characters"),
        ({"items": [{**GOOD, "price": 1}]}, "items[0].price: extra fields not permitted"),
        (
            {"items": [{**GOOD, "suggested_score": -2}]},
            "items[0].suggested_score: ensure this value is greater than or equal to -1",
        ),
        (
            {"items": [{**GOOD, "suggested_score": 500_000_001}]},
            "items[0].suggested_score: ensure this value is less than or equal to 500000000",
        ),
        ({"items": [{**GOOD, "suggested_score": "7"}]}, "items[0].suggested_score: value is not a valid integer"),
        ({"items": [{**GOOD, "suggested_score": True}]}, "items[0].suggested_score: value is not a valid integer"),
        ({"items": [{**GOOD, "suggested_score": 1.5}]}, "items[0].suggested_score: value is not a valid integer"),
        ({"items": [{**GOOD, "data": []}]}, "items[0].data: value is not a valid dict"),
        ({"items": [GOOD], "force": True}, "force: extra fields not permitted"),
        ([GOOD], "body: value is not a valid dict"),
    ],
)
def test_a_bad_body_is_refused_in_the_words_of_the_contract(body: Any, message: str) -> None:
    assert refusal_of(body) == message


def test_variations_are_named_in_their_own_messages() -> None:
    assert refusal_of({"variations": None}, kind=Kind.VARIATIONS) == "variations: none is not an allowed value"


def test_every_problem_is_listed_but_a_message_spells_out_ten() -> None:
    with pytest.raises(Invalid) as caught:
        parse_batch(
            json.dumps({"items": [{"name": "x"}] * 12}).encode(), kind=Kind.ITEMS, operation=PUT, max_entries=12
        )
    assert caught.value.message.split("; ") == [f"items[{i}].id: field required" for i in range(10)]
    assert [problem.loc for problem in caught.value.errors] == [f"items[{i}].id" for i in range(12)]


@pytest.mark.parametrize("score", [-1, 0, 500_000_000, 1337.0, None])
def test_a_whole_score_within_its_range_is_taken_even_with_a_decimal_point(score: Any) -> None:
    assert refusal_of_entry({**GOOD, "suggested_score": score}) == ""


@pytest.mark.parametrize("name", ["7", "靴", "-é-", "_ a"])
def test_a_name_needs_one_letter_or_digit_of_any_script(name: str) -> None:
    assert refusal_of_entry({**GOOD, "name": name}) == ""


@pytest.mark.parametrize("name", ["-", "_", "👟", "  "])
def test_a_name_without_a_letter_or_digit_is_refused(name: str) -> None:
    wanted = "items[0].name: ensure this value has at least one alphanumeric character"
    assert refusal_of_entry({**GOOD, "name": name}) == wanted


def test_lengths_are_counted_in_characters_not_in_bytes() -> None:
    assert refusal_of_entry({"id": "👟" * 250, "name": "é" * 250}) == ""
    assert (
        refusal_of_entry({"id": "👟" * 251, "name": "é"}) == "items[0].id: ensure this value has at most 250 characters"
    )


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"keywords": "a"}, "keywords: value is not a valid list"),
        ({"keywords": ["a", 1]}, "keywords[1]: str type expected"),
        ({"group_ids": [None]}, "group_ids[0]: none is not an allowed value"),
        ({"url": 1}, "url: str type expected"),
        ({"image_url": []}, "image_url: str type expected"),
        ({"description": "d" * 4001}, "description: ensure this value has at most 4000 characters"),
        ({"active": "true"}, "active: value could not be parsed to a boolean"),
        ({"deactivated": 1}, "deactivated: value could not be parsed to a boolean"),
        ({"is_default": 0}, "is_default: value could not be parsed to a boolean"),
        ({"__cnstrc_release_time": "soon"}, "__cnstrc_release_time: invalid datetime format"),
        ({"__cnstrc_release_time": 7}, "__cnstrc_release_time: invalid datetime format"),
        ({"facets": []}, "facets: value is not a valid dict"),
        ({"facets": {"size": [True]}}, "facets.size[0]: value is not a valid string or number"),
        ({"facets": {"size": {}}}, "facets.size: value is not a valid string or number"),
        ({"facets": {"size": None}}, "facets.size: none is not an allowed value"),
        ({"facets": {"size": ["s" * 201]}}, "facets.size[0]: ensure this value has at most 200 characters"),
        ({"facets": {"s" * 101: []}}, f"facets.{'s' * 100}…: ensure this value has at most 100 characters"),
    ],
)
def test_known_fields_of_data_are_checked_when_present(data: dict[str, Any], problem: str) -> None:
    assert refusal_of_entry({**GOOD, "data": data}) == f"items[0].data.{problem}"


@pytest.mark.parametrize(
    "data",
    [
        {},
        None,
        {"price": 19.90, "deep": {"er": [[{}]]}, "null": None},
        {"facets": {"color": ["red"], "size": 41, "width": 4.5, "brand": "Acme", "none": []}},
        {"__cnstrc_release_time": "2026-05-01T08:00:00Z"},
        {"__cnstrc_release_time": "2026-05-01t08:00:00.125z"},
        {"keywords": None, "url": None, "facets": None, "active": None, "__cnstrc_release_time": None},
        {"keywords": [], "group_ids": ["a"], "active": False, "description": "d" * 4000},
    ],
)
def test_data_is_open_and_null_stands_for_absent(data: Any) -> None:
    assert refusal_of_entry({**GOOD, "data": data}) == ""


def test_data_is_measured_as_it_was_sent() -> None:
    def entry(length: int) -> bytes:
        return b'{"items": [{"id": "a", "name": "b", "data": {"x": "%s"}}]}' % (b"x" * (length - len('{"x": ""}')))

    wanted = "items[0].data: ensure this value has at most 200000 bytes of JSON"
    assert refusal_of(entry(200_000)) == ""
    assert refusal_of(entry(200_001)) == wanted
    assert refusal_of(entry(3_000_000)) == wanted


CREATE = {"operation": PATCH, "on_missing": OnMissing.CREATE}


@pytest.mark.parametrize(
    ("batch", "entry", "message"),
    [
        ({}, {"id": None, "name": "a"}, "items[0].id: none is not an allowed value"),
        ({}, {"id": "a", "name": None}, "items[0].name: none is not an allowed value"),
        ({"operation": PATCH}, {"id": "a"}, ""),
        ({"operation": PATCH}, {"id": "a", "suggested_score": None, "data": None}, ""),
        ({"operation": PATCH}, {"id": "a", "name": None}, "items[0].name: none is not an allowed value"),
        ({"operation": PATCH, "on_missing": OnMissing.IGNORE}, {"id": "a"}, ""),
        (CREATE, {"id": "a"}, ""),
        ({"operation": DELETE}, {"id": "a"}, ""),
        ({"operation": DELETE}, {"id": "a", "name": "b"}, "items[0].name: extra fields not permitted"),
        ({"kind": Kind.VARIATIONS}, {"id": "a", "item_id": "b"}, ""),
        ({"kind": Kind.VARIATIONS}, {"id": "a"}, "variations[0].item_id: field required"),
        ({"kind": Kind.VARIATIONS, "operation": PATCH}, {"id": "a"}, ""),
        (
            {"kind": Kind.VARIATIONS, "operation": PATCH},
            {"id": "a", "item_id": None},
            "variations[0].item_id: none is not an allowed value",
        ),
        ({"kind": Kind.VARIATIONS, **CREATE}, {"id": "a"}, ""),
        ({"kind": Kind.VARIATIONS, **CREATE}, {"id": "a", "item_id": "b"}, ""),
        (
            {"kind": Kind.VARIATIONS, "operation": DELETE},
            {"id": "a", "item_id": "b"},
            "variations[0].item_id: extra fields not permitted",
        ),
        ({}, {**GOOD, "item_id": "b"}, "items[0].item_id: extra fields not permitted"),
    ],
)
def test_each_operation_asks_for_its_own_fields(batch: dict[str, Any], entry: Any, message: str) -> None:
    assert refusal_of_entry(entry, **batch) == message


def test_a_patch_edits_lists_with_lists() -> None:
    edits = {"keywords:add": ["a"], "sizes:remove": [1, {}], "group_ids:remove": []}
    assert refusal_of_entry({"id": "a", "data": edits}, operation=PATCH) == ""
    assert refusal_of_entry({"id": "a", "data": {"sizes:add": "xl"}}, operation=PATCH) == (
        "items[0].data.sizes:add: value is not a valid list"
    )
    assert refusal_of_entry({"id": "a", "data": {"keywords:add": [1]}}, operation=PATCH) == (
        "items[0].data.keywords:add[0]: str type expected"
    )


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        ({"operation": PUT}, "list edits are not permitted in PUT"),
        (CREATE, "list edits are not permitted with on_missing=CREATE"),
    ],
)
def test_edits_are_refused_where_there_may_be_nothing_to_edit(batch: dict[str, Any], reason: str) -> None:
    for key in ("keywords:add", "other:remove"):
        assert refusal_of_entry({**GOOD, "data": {key: ["a"]}}, **batch) == f"items[0].data.{key}: {reason}"


def test_a_name_chosen_by_the_sender_is_cut_in_messages() -> None:
    assert refusal_of_entry({**GOOD, "x" * 5000: 1}) == f"items[0].{'x' * 100}…: extra fields not permitted"


@pytest.mark.parametrize(
    ("schema", "name", "value", "problem"),
    [
        (
            PatchQuery,
            "on_missing",
            "create",
            "value is not a valid enumeration member; permitted: 'CREATE', 'IGNORE', 'FAIL'",
        ),
        (WriteQuery, "force", "perhaps", "value could not be parsed to a boolean"),
        (WriteQuery, "section", "", "ensure this value has at least 1 characters"),
        (WriteQuery, "section", "s" * 101, "ensure this value has at most 100 characters"),
        (WriteQuery, "notification_email", "nobody", "value is not a valid email address"),
        (WriteQuery, "notification_email", "jürgen@shop.example", "value is not a valid email address"),
        (TasksQuery, "page", "x", "value is not a valid integer"),
        (TasksQuery, "page", "1.0", "value is not a valid integer"),
        (TasksQuery, "page", "9" * 5000, "value is not a valid integer"),
        (TasksQuery, "page", "0", "ensure this value is greater than or equal to 1"),
        (TasksQuery, "offset", "-1", "ensure this value is greater than or equal to 0"),
        (TasksQuery, "num_results_per_page", "101", "ensure this value is less than or equal to 100"),
        (ItemsQuery, "num_results_per_page", "1001", "ensure this value is less than or equal to 1000"),
        (TasksQuery, "start_date", "2026-13-01", "invalid date format"),
        (TasksQuery, "end_date", "20260101", "invalid date format"),
        (
            TasksQuery,
            "status",
            "LOST",
            "value is not a valid enumeration member; permitted: 'QUEUED', 'IN_PROGRESS', 'DONE', 'FAILED', 'CANCELED'",
        ),
    ],
)
def test_a_bad_parameter_is_refused_in_the_words_of_the_contract(
    schema: Any, name: str, value: str, problem: str
) -> None:
    assert refusal_of_query(schema, [(name, value)]) == f"{name}: {problem}"


def test_a_request_may_say_only_once_where_to_begin() -> None:
    both = [("page", "2"), ("offset", "3")]
    assert refusal_of_query(TasksQuery, both) == "offset, page are mutually exclusive"
    assert refusal_of_query(ItemsQuery, both) == "offset, page are mutually exclusive"
    assert refusal_of_query(ItemsQuery, [("page", "2"), ("next_page_cursor", "x")]) == (
        "next_page_cursor, page are mutually exclusive"
    )


def test_at_most_a_thousand_ids_may_be_asked_for() -> None:
    assert refusal_of_query(ItemsQuery, [("id", str(i)) for i in range(1000)]) == ""
    assert refusal_of_query(ItemsQuery, [("id", str(i)) for i in range(1001)]) == (
        "id: ensure this value has at most 1000 items"
    )


@pytest.mark.parametrize("text", ["True", "true", "1", "yes", "ON"])
def test_force_is_understood_as_each_client_writes_it(text: str) -> None:
    assert load_query(WriteQuery, MultiDict({"force": text}))["force"] is True
    assert load_query(WriteQuery, MultiDict({"force": "False"}))["force"] is False


def test_unknown_parameters_are_ignored_and_the_rest_have_defaults() -> None:
    own = MultiDict([("c", "ciojs"), ("_dt", "1"), ("ui", "True")])
    assert load_query(PatchQuery, own) == {
        "section": "Products",
        "force": False,
        "force_reason": "",
        "notification_emails": [],
        "wait": None,
        "dry_run": False,
        "on_invalid": OnInvalid.REJECT,
        "on_missing": OnMissing.FAIL,
    }
    assert load_query(TasksQuery, own) == {
        "num_results_per_page": 20,
        "page": None,
        "offset": None,
        "before": None,
        "statuses": [],
        "types": [],
        "start_date": None,
        "end_date": None,
    }
    assert load_query(VariationsQuery, own)["num_results_per_page"] == 100


def test_repeated_parameters_are_lists() -> None:
    sent = MultiDict([("status", "DONE"), ("status", "FAILED"), ("start_date", "2026-01-31")])
    loaded = load_query(TasksQuery, sent)
    assert loaded["statuses"] == [Status.DONE, Status.FAILED]
    assert loaded["start_date"] == date(2026, 1, 31)


def test_a_put_or_delete_does_not_know_on_missing() -> None:
    assert refusal_of_query(WriteQuery, [("on_missing", "nonsense")]) == ""


@pytest.mark.parametrize(
    ("schema", "body", "message"),
    [
        (TaskChangeSchema, {"status": "CANCELED"}, ""),
        (TaskChangeSchema, {}, "status: field required"),
        (
            TaskChangeSchema,
            {"status": "DONE"},
            "status: value is not a valid enumeration member; permitted: 'CANCELED', 'QUEUED'",
        ),
        (
            TaskChangeSchema,
            {"status": []},
            "status: value is not a valid enumeration member; permitted: 'CANCELED', 'QUEUED'",
        ),
        (TaskChangesSchema, {"tasks": []}, "tasks: ensure this value has at least 1 items"),
        (TaskChangesSchema, {"tasks": {}}, "tasks: value is not a valid list"),
        (
            TaskChangesSchema,
            {"tasks": [{"id": 7, "status": "QUEUED"}, {"status": "QUEUED"}]},
            "tasks[1].id: field required",
        ),
        (TaskChangesSchema, {"tasks": [{"id": "7", "status": "QUEUED"}]}, "tasks[0].id: value is not a valid integer"),
        (TaskChangesSchema, {"tasks": [5]}, "tasks[0]: value is not a valid dict"),
        (
            TaskChangesSchema,
            {"tasks": [{"id": i + 1, "status": "QUEUED"} for i in range(1001)]},
            "tasks: ensure this value has at most 1000 items",
        ),
    ],
)
def test_changes_of_tasks_are_checked_in_the_same_words(schema: Any, body: Any, message: str) -> None:
    refused = None
    try:
        load_body(schema, body)
    except Invalid as error:
        refused = error.message
    assert refused == (message or None)
