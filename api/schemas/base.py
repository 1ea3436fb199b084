"""Load a query or a body with its schema, and list its problems."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, ClassVar

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, pre_load

from api.errors import Invalid, Problem
from api.schemas import fields
from api.schemas.parameters import SYNONYMS, only_value


class Query(Schema):
    """Query parameters.

    Those not declared are not seen here; `api.openapi.describe` refuses the ones that their sender may have meant.
    """

    class Meta:
        unknown = EXCLUDE

    #: What to do about parameters that are not taken here, for senders who expect them to be.
    hints: ClassVar[Mapping[str, str]] = {}
    #: Parameters that nobody knows are ignored.
    open_to_others = True

    @pre_load
    def take_values(self, args: Any, **_: Any) -> dict[str, Any]:
        """Take every value of a repeatable parameter, and the one value of any other.  Raises Invalid."""
        if not hasattr(args, "getlist"):
            return dict(args)
        taken = {}
        for name, field in self.load_fields.items():
            key = field.data_key or name
            value = (args.getlist(key) or None) if isinstance(field, fields.ListOf) else only_value(args, key)
            if value is not None:
                taken[key] = value
        return taken


#: The place of a value among those of a parameter.
_INDEX = re.compile(r"\[[0-9]+\].*", re.DOTALL)


def load_query(schema: type[Query], args: Mapping[str, Any]) -> dict[str, Any]:
    """Read query parameters; the names in the result are those of the schema's fields.

    Raises Invalid.  The values of a repeatable parameter have no place of their own in a query, so a problem with one
    is named after the parameter alone.
    """
    try:
        # Most requests have no parameter of the schema except the key.
        if _names_sent(schema).isdisjoint(args):
            return dict(_defaults(schema))
        return _loaded(schema, args)
    except ValidationError as refused:
        found = [Problem(_INDEX.sub("", problem.loc), problem.msg) for problem in problems(refused.messages)]
        raise Invalid(*dict.fromkeys(found)) from None


@cache
def _defaults(schema: type[Query]) -> dict[str, Any]:
    return _loaded(schema, {})


@cache
def parameter_names(schema: type[Query]) -> frozenset[str]:
    """Name the parameters that a schema knows, as they are sent."""
    return frozenset(field.data_key or name for name, field in _instance(schema).fields.items())


@cache
def _names_sent(schema: type[Query]) -> frozenset[str]:
    """The same, and what V1 calls them."""
    names = parameter_names(schema)
    return names | {old for old, new in SYNONYMS.items() if new in names}


def load_body(schema: type[Strict], value: Any) -> dict[str, Any]:
    """Check a decoded body.  Raises Invalid."""
    try:
        return _loaded(schema, value)
    except ValidationError as refused:
        raise Invalid(*(Problem(loc or "body", msg) for loc, msg in problems(refused.messages))) from None


def _loaded(schema: type[Schema], value: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = _instance(schema).load(value)
    return loaded


@cache
def _instance(schema: type[Schema]) -> Schema:
    """Return a schema's instance, created once: creating one costs more than loading with it."""
    return schema()


#: Most characters of a name in a message: a sender may choose names as long as a body.
_NAME_LENGTH = 100


def problems(messages: Any, loc: str = "") -> Iterator[Problem]:
    """Flatten marshmallow's nested messages, in the order of their places."""
    if isinstance(messages, dict):
        for key in sorted(messages, key=lambda key: (isinstance(key, str), key)):
            yield from problems(messages[key], _below(loc, key))
    elif isinstance(messages, list):
        for message in messages:
            yield from problems(message, loc)
    else:
        yield Problem(loc, str(messages))


def _below(loc: str, key: str | int) -> str:
    if key == "_schema":  # marshmallow's word for the object itself
        return loc
    if isinstance(key, int):
        return f"{loc}[{key}]"
    name = key if len(key) <= _NAME_LENGTH else key[:_NAME_LENGTH] + "…"
    return f"{loc}.{name}" if loc else name


_WORDS = {"unknown": fields.EXTRA, "type": fields.NOT_A_DICT}


class Strict(Schema):
    """An object with the declared fields and no others."""

    class Meta:
        unknown = RAISE

    error_messages = _WORDS
