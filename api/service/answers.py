"""Schemas of the answers about health and version."""

from __future__ import annotations

from api.openapi.answers import count
from api.schemas import fields
from api.schemas.base import Strict


class Alive(Strict):
    """The process answers."""

    status = fields.Text(required=True, metadata={"enum": ["ok"]})


class Ready(Strict):
    """Whether batches are accepted and applied."""

    status = fields.Text(required=True, metadata={"enum": ["ok", "degraded"]})
    store = fields.Text(required=True, metadata={"enum": ["ok"]})
    broker = fields.Text(required=True, metadata={"enum": ["ok", "away"]})
    workers = count()


class NotReady(Strict):
    """Batches are not accepted."""

    status = fields.Text(required=True, metadata={"enum": ["unavailable"]})
    store = fields.Text(required=True, metadata={"enum": ["away"]})


class Version(Strict):
    """Name and version of the service."""

    name = fields.Text(required=True)
    version = fields.Text(required=True)
