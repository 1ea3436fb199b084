"""The API that the other systems share: Flask; a write is checked, given a task id and handed to their queue."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import redis
from flask import Flask, Response, abort, jsonify, request
from marshmallow import ValidationError

from tests.benchmarks.others.effects import items_key, task_key
from tests.benchmarks.others.schemas import BODY_SCHEMAS

#: Hands a batch to the queue: catalog key, task id, HTTP method, body.
Enqueue = Callable[[str, int, str, str], Any]
#: Checks the body of an HTTP method; raises ValueError if it is bad.
Check = Callable[[str, str], None]


def check_with_marshmallow(method: str, body: str) -> None:
    """Check every entry."""
    try:
        BODY_SCHEMAS[method].load(json.loads(body))
    except ValidationError as refused:
        raise ValueError(refused.messages) from None


def create_app(client: redis.Redis, enqueue: Enqueue, check: Check = check_with_marshmallow) -> Flask:
    """Build the API over a queue."""
    app = Flask("others", static_folder=None)

    def catalog_key() -> str:
        key = request.args.get("key", "")
        if not request.authorization or request.authorization.token != f"token-{key}":
            abort(401)
        return key

    @app.route("/v2/items", methods=["PUT", "PATCH", "DELETE"])
    def write() -> Any:
        key, body = catalog_key(), request.get_data(as_text=True)
        try:
            check(request.method, body)
        except ValueError as problem:
            return jsonify(message=str(problem)), 400
        task_id = int(client.incr(f"{key}:seq"))  # type: ignore[arg-type]
        client.hset(task_key(key, task_id), "status", "QUEUED")
        enqueue(key, task_id, request.method, body)
        return jsonify(task_id=task_id)

    @app.get("/v2/items/<item_id>")
    def get_one(item_id: str) -> Response:
        item = client.hget(items_key(catalog_key()), item_id)
        if item is None:
            abort(404)
        return Response(item, mimetype="application/json")

    @app.get("/health/live")
    def live() -> Any:
        return jsonify(status="ok")

    return app
