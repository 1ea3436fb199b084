"""Field types of our schemas, with the contract's error messages.

`api.entries.fast_decoder` translates the field types of entries by their classes, and fails for any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from marshmallow import ValidationError, fields, validate

REQUIRED = "field required"
NULL = "none is not an allowed value"
EXTRA = "extra fields not permitted"
NOT_A_DICT = "value is not a valid dict"
NOT_A_LIST = "value is not a valid list"

#: Suffixes of a key of ``data`` that edits the list under the name before it.
EDIT_SUFFIXES = (":add", ":remove")


def length(minimum: int | None, maximum: int, unit: str = "characters") -> list[validate.Validator]:
    """Limit the length of a text or a list, in code points or entries."""
    at_most = validate.Length(max=maximum, error=f"ensure this value has at most {{max}} {unit}")
    if minimum is None:
        return [at_most]
    return [validate.Length(min=minimum, error=f"ensure this value has at least {{min}} {unit}"), at_most]


def between(minimum: int, maximum: int) -> list[validate.Validator]:
    """Limit a number; both bounds are included."""
    return [
        validate.Range(min=minimum, error="ensure this value is greater than or equal to {min}"),
        validate.Range(max=maximum, error="ensure this value is less than or equal to {max}"),
    ]


class ContainsOneOf(validate.Validator):
    """Require one character of a class.  An empty text passes: ``length`` rejects it."""

    def __init__(self, characters: str, error: str) -> None:
        self.characters = characters
        self.error = error
        self._search = re.compile(characters).search

    def holds_in(self, text: str) -> bool:
        """Return whether a text has such a character."""
        return bool(self._search(text))

    def __call__(self, value: str) -> str:
        if value and not self.holds_in(value):
            raise ValidationError(str(self.error))
        return value


def _words(invalid: str) -> dict[str, str | list[Any] | dict[Any, Any]]:
    """Return the contract's messages for a value that is missing, null, or of another type."""
    return {"required": REQUIRED, "null": NULL, "invalid": invalid}


class Text(fields.String):
    """A string; other types are not converted."""

    default_error_messages = _words("str type expected")


class WholeNumber(fields.Integer):
    """A JSON number without a fraction: ``1337.0`` counts, text and booleans do not."""

    default_error_messages = _words("value is not a valid integer")

    def _validated(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        if isinstance(value, float) and not value.is_integer():
            raise self.make_error("invalid", input=value)
        return int(value)


class Number(fields.Float):
    """A JSON number; text and booleans are not converted."""

    default_error_messages = _words("value is not a valid float")

    def _validated(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        return value


class JsonSchema(fields.Field[Any]):
    """A JSON Schema: an object, true or false."""

    default_error_messages = _words("value is not a valid dict or boolean")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict | bool):
            raise self.make_error("invalid")
        return value


class Flag(fields.Boolean):
    """A JSON boolean; other types are not converted."""

    default_error_messages = _words("value could not be parsed to a boolean")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Moment(fields.DateTime):
    """An ISO 8601 date and time as text."""

    default_error_messages = _words("invalid datetime format")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        # RFC 3339 allows a lower-case `t` and `z`, the standard library does not.
        return super()._deserialize(value.upper() if isinstance(value, str) else None, attr, data, **kwargs)


class TextOrNumber(fields.Field[Any]):
    """A string that passes ``text``, or any JSON number."""

    default_error_messages = _words("value is not a valid string or number")

    def __init__(self, text: Text, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = text

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            return self.text.deserialize(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid")
        return value


class Unread(fields.Raw):
    """Any value; it is ignored."""

    def __init__(self) -> None:
        super().__init__(allow_none=True, metadata={"description": "Ignored."})


class ListOf(fields.List[Any]):
    """A JSON array of one kind of field."""

    default_error_messages = _words(NOT_A_LIST)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class OneOrMany(ListOf):
    """A list of one kind of field, or a single one, which counts as a list of one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            return [self.inner.deserialize(value, **kwargs)]
        return super()._deserialize(value, attr, data, **kwargs)


class MapOf(fields.Dict):
    """A JSON object with arbitrary names; all names are of one kind, and all values."""

    default_error_messages = _words(NOT_A_DICT)

    def __init__(self, *, keys: Text, values: fields.Field[Any], **kwargs: Any) -> None:
        super().__init__(keys=keys, values=values, **kwargs)
        self.names, self.values = keys, values

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.make_error("invalid")
        loaded: dict[str, Any] = {}
        problems = {}
        for name, each in value.items():
            try:
                self.names.deserialize(name)
                loaded[name] = self.values.deserialize(each, **kwargs)
            except ValidationError as refused:
                problems[name] = refused.messages
        if problems:
            raise ValidationError(problems)
        return loaded


class Object(fields.Nested):
    """A JSON object with its own schema."""

    default_error_messages = _words(NOT_A_DICT)


class OpenObject(fields.Nested):
    """A JSON object that may have any members besides the known fields of its schema.

    ``max_bytes`` bounds its text as sent, and is checked where the value knows its length (``sent_bytes``).  A key with
    an edit suffix must hold a list; where ``edits_refused`` is given, that message refuses any such key.
    """

    default_error_messages = _words(NOT_A_DICT)

    def __init__(self, nested: Any, *, max_bytes: int, edits_refused: str | None = None, **kwargs: Any) -> None:
        super().__init__(nested, **kwargs)
        self.max_bytes = max_bytes
        self.too_long = f"ensure this value has at most {max_bytes} bytes of JSON"
        self.edits_refused = edits_refused

    def edit_problem(self, key: str, value: Any) -> str | None:
        """Return the problem of a key and its value as an edit, if any."""
        if not key.endswith(EDIT_SUFFIXES):
            return None
        if self.edits_refused:
            return self.edits_refused
        return None if isinstance(value, list) else NOT_A_LIST

    def _deserialize(self, value: Any, attr: str | None, data: Any, partial: Any = None, **kwargs: Any) -> Any:
        if getattr(value, "sent_bytes", 0) > self.max_bytes:
            raise ValidationError(self.too_long)
        items = value.items() if isinstance(value, dict) else ()
        problems = {key: [problem] for key, each in items if (problem := self.edit_problem(key, each))}
        # What depends on the values beside it, found where these were read.
        problems |= {key: [problem] for key, problem in getattr(value, "clashes", {}).items() if key not in problems}
        try:
            loaded = super()._deserialize(value, attr, data, partial, **kwargs)
        except ValidationError as refused:
            raise ValidationError({**problems, **refused.normalized_messages()}) from None
        if problems:
            raise ValidationError(problems)
        return loaded


class Choice(fields.String):
    """One member of an enum of strings, by its value, loaded as the member."""

    default_error_messages = _words("value is not a valid enumeration member; permitted: {permitted}")

    def __init__(self, choices: Sequence[StrEnum], **kwargs: Any) -> None:
        metadata = {"enum": [choice.value for choice in choices], **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)
        self._members: Mapping[str, StrEnum] = {choice.value: choice for choice in choices}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> StrEnum:
        member = self._members.get(value) if isinstance(value, str) else None
        if member is None:
            raise self.make_error("invalid", permitted=", ".join(f"'{name}'" for name in self._members))
        return member


class QueryInteger(fields.Integer):
    """A whole number as the text of a query parameter."""

    default_error_messages = _words("value is not a valid integer")

    #: Bounded, since the interpreter refuses to read thousands of digits.
    _DIGITS = re.compile(r"[+-]?[0-9]{1,100}", re.ASCII)

    def _validated(self, value: Any) -> int:
        if not self._DIGITS.fullmatch(value):
            raise self.make_error("invalid", input=value)
        return int(value)


class QueryFlag(fields.Boolean):
    """A boolean as the text of a query parameter, in any of the usual spellings and cases."""

    default_error_messages = _words("value could not be parsed to a boolean")

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

    default_error_messages = _words("invalid date format")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE)
        return super()._deserialize(value, attr, data, **kwargs)
