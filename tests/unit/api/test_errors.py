"""Promises about answers that are no success."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Flask, abort, make_response, request
from werkzeug.exceptions import RequestEntityTooLarge

from api import errors
from api.errors import Problem
from shared.errors import StoreFull, StoreUnavailable, TaskConflict, TaskNotFound

RAISED: dict[str, Exception] = {
    "invalid": errors.Invalid(Problem("items[0].id", "field required"), Problem("", "a, b are mutually exclusive")),
    "key": errors.UnknownKey(),
    "token": errors.InvalidToken(),
    "forbidden": errors.Forbidden("the token lacks the scope rw"),
    "not-found": errors.NotFound("item 'a' not found"),
    "method": errors.MethodNotAllowed("GET", "PUT"),
    "conflict": errors.Conflict("the task has ended"),
    "too-large": errors.TooLarge("too large"),
    "media": errors.UnsupportedMediaType("no such type"),
    "busy": errors.TooManyTasks("the queue is full", retry_after_s=7),
    "away": StoreUnavailable("connecting to redis.internal:6379 failed"),
    "full": StoreFull("used_memory 12345"),
    "no-task": TaskNotFound(),
    "task-state": TaskConflict("task 7 is DONE"),
    "werkzeug": RequestEntityTooLarge(),
    "bug": ZeroDivisionError("secret detail"),
}


@pytest.fixture
def client() -> Any:
    app = Flask(__name__)
    errors.register(app)

    @app.get("/raise/<name>")
    def fail(name: str) -> str:
        raise RAISED[name]

    @app.get("/abort")
    def give_up() -> str:
        abort(make_response({"message": "its own"}, 418))

    @app.post("/form")
    def form() -> str:
        return request.form["missing"]

    return app.test_client()


@pytest.mark.parametrize(
    ("path", "status", "headers"),
    [
        ("/raise/invalid", 400, {}),
        ("/raise/key", 401, {"WWW-Authenticate": 'Basic realm="Sluice"'}),
        ("/raise/token", 401, {"WWW-Authenticate": 'Basic realm="Sluice"'}),
        ("/raise/forbidden", 403, {}),
        ("/raise/not-found", 404, {}),
        ("/raise/method", 405, {"Allow": "GET, PUT"}),
        ("/raise/conflict", 409, {}),
        ("/raise/too-large", 413, {}),
        ("/raise/media", 415, {}),
        ("/raise/busy", 429, {"Retry-After": "7"}),
        ("/raise/away", 503, {"Retry-After": "1"}),
        ("/raise/full", 503, {"Retry-After": "10"}),
        ("/raise/no-task", 404, {}),
        ("/raise/task-state", 409, {}),
        ("/raise/werkzeug", 413, {}),
        ("/raise/bug", 500, {}),
        ("/nowhere", 404, {}),
    ],
)
def test_every_error_is_json_with_a_message(client: Any, path: str, status: int, headers: dict[str, str]) -> None:
    response = client.get(path)
    assert response.status_code == status
    assert response.mimetype == "application/json"
    assert response.json["message"]
    assert {name: response.headers.get(name) for name in headers} == headers


def test_problems_are_listed_with_their_places(client: Any) -> None:
    assert client.get("/raise/invalid").json == {
        "message": "items[0].id: field required; a, b are mutually exclusive",
        "errors": [
            {"loc": "items[0].id", "msg": "field required"},
            {"loc": "", "msg": "a, b are mutually exclusive"},
        ],
    }


def test_a_wrong_method_is_told_the_right_ones(client: Any) -> None:
    response = client.get("/form")
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
    assert response.json["message"]


def test_a_response_given_to_abort_is_left_alone(client: Any) -> None:
    response = client.get("/abort")
    assert (response.status_code, response.json) == (418, {"message": "its own"})


@pytest.mark.parametrize(
    ("path", "secret"), [("/raise/bug", "secret"), ("/raise/away", "redis"), ("/raise/full", "123")]
)
def test_what_went_wrong_inside_is_logged_and_not_told(client: Any, caplog: Any, path: str, secret: str) -> None:
    with caplog.at_level(logging.WARNING):
        response = client.get(path)
    assert secret not in response.text
    [record] = caplog.records
    assert record.action in {"request_failed", "store_refused"}
    if path == "/raise/bug":
        assert isinstance(record.exc_info[1], ZeroDivisionError)
