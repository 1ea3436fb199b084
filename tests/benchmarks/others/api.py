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

#: Hands a batch to the queue: catalog key, task id, HTTP method, and what the check made of the body.
Enqueue = Callable[[str, int, str, Any], None]
#: Makes of an HTTP method and a body what goes into the queue; raises ValueError for a bad one.
Check = Callable[[str, bytes], Any]


def check_with_marshmallow(method: str, body: bytes) -> Any:
    """Check every entry, and return the items."""
    try:
        return BODY_SCHEMAS[method].load(json.loads(body))["items"]
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
        key = catalog_key()
        try:
            batch = check(request.method, request.get_data())
        except ValueError as problem:
            return jsonify(message=str(problem)), 400
        task_id = int(client.incr(f"{key}:seq"))  # type: ignore[arg-type]
        client.hset(task_key(key, task_id), "status", "QUEUED")
        enqueue(key, task_id, request.method, batch)
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
