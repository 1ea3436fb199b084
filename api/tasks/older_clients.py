"""Calls under the names that older clients know."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from api.http.auth import authorize, caller
from api.openapi.describe import describe
from api.tasks import docs as described_tasks
from api.tasks.views import get_one

blueprint = Blueprint("older_clients", __name__, url_prefix="/v1")
blueprint.before_request(authorize)

blueprint.get("/task/<task_id:task_id>", endpoint="get_task")(get_one)


@blueprint.get("/verify")
@describe(described_tasks.VERIFY)
def verify() -> Response:
    """Tell that key and token are right: whoever has others was refused before."""
    return jsonify(message="successful authentication", key=caller().catalog_key)
