"""How a changed field is shown, and described in the OpenAPI document."""

from __future__ import annotations

from typing import Any

import msgspec
from marshmallow import fields as ma

from api.history.differences import Difference
from api.schemas import fields
from api.schemas.base import Strict


class DifferenceSchema(Strict):
    """One field that a task changed."""

    field = fields.Text(required=True, metadata={"description": "Its path: `name`, `data.price`, `data.facets.color`."})
    before = ma.Raw(metadata={"description": "Its value before; absent if there was none, or it is not known."})
    after = ma.Raw(metadata={"description": "Its value afterwards; absent if there is none."})


def show_difference(found: Difference) -> dict[str, Any]:
    sides = {"before": found.before, "after": found.after}
    return {"field": found.field, **{name: msgspec.Raw(side) for name, side in sides.items() if side is not None}}
