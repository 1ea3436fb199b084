"""Fields of query parameters: values written as texts."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from marshmallow import fields

from api.schemas.fields import words


class QueryInteger(fields.Integer):
    """A whole number as the text of a query parameter."""

    default_error_messages = words("value is not a valid integer")

    #: Bounded, since the interpreter refuses to read thousands of digits.
    _DIGITS = re.compile(r"[+-]?[0-9]{1,100}", re.ASCII)

    def _validated(self, value: Any) -> int:
        if not self._DIGITS.fullmatch(value):
            raise self.make_error("invalid", input=value)
        return int(value)


class QueryFlag(fields.Boolean):
    """A boolean as the text of a query parameter, in any of the usual spellings and cases."""

    default_error_messages = words("value could not be parsed to a boolean")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            truthy=("1", "true", "t", "yes", "y", "on"),
            falsy=("0", "false", "f", "no", "n", "off"),
            **kwargs,
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        return super()._deserialize(value.lower(), attr, data, **kwargs)


class QueryDate(fields.Date):
    """A day as ``yyyy-mm-dd``."""

    default_error_messages = words("invalid date format")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE)
        return super()._deserialize(value, attr, data, **kwargs)
