"""``/metrics``, for Prometheus."""

from __future__ import annotations

import secrets

from flask import Blueprint, Response, request

from api.errors import InvalidToken
from api.openapi.describe import Answer, Description, Tag, describe
from api.services import current_services
from shared.telemetry import metrics
from shared.telemetry.gauges import look

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@describe(
    Description(
        "Read metrics in Prometheus format",
        Tag.SERVICE,
        {200: Answer("Prometheus' text format.", {"type": "string"}, media_types=("text/plain",))},
        text="Requires its own Bearer token, if the operator set one.",
        errors=(401, 503),
        public=True,
    )
)
def get_metrics() -> Response:
    """Respond with the counters of all processes of this machine and the gauges of the store and the partitions."""
    services = current_services()
    _authorize(services.settings.metrics_token)
    # Who a service's customers are is nobody's business who has no token.
    named = services.settings.metrics_token is not None
    body, media_type = metrics.exposition(lambda: look(services.client, services.clock(), named=named))
    return Response(body, content_type=media_type)


def _authorize(token: str | None) -> None:
    sent = request.authorization
    if token is not None and not (sent and secrets.compare_digest((sent.token or "").encode(), token.encode())):
        raise InvalidToken
