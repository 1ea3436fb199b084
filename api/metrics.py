"""``/metrics``: for Prometheus."""

from __future__ import annotations

import secrets

from flask import Blueprint, Response, request

from api.describing import Answer, Description, Tag, describe
from api.errors import InvalidToken
from api.services import services
from shared import metrics
from shared.store_metrics import look

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@describe(
    Description(
        "Read what is counted, for Prometheus",
        Tag.SERVICE,
        {200: Answer("Prometheus' text format.", {"type": "string"}, media_types=("text/plain",))},
        text="Needs a Bearer token of its own, if the operator set one.",
        errors=(401, 503),
        public=True,
    )
)
def get_metrics() -> Response:
    """Answer with what all processes of this machine counted, and how the store and the partitions look now."""
    tools = services()
    _authorize(tools.settings.metrics_token)
    body, media_type = metrics.exposition(lambda: look(tools.client, tools.clock()))
    return Response(body, content_type=media_type)


def _authorize(token: str | None) -> None:
    sent = request.authorization
    if token is not None and not (sent and secrets.compare_digest((sent.token or "").encode(), token.encode())):
        raise InvalidToken
