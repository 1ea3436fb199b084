"""Describe views for the OpenAPI document, and refuse requests with parameters that are not described."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar, cast

from flask import request
from marshmallow import Schema

from api.errors import Invalid, Problem
from api.schemas.base import Query, parameter_names
from api.schemas.parameters import CLIENTS_OWN, SYNONYMS, Parameters

View = TypeVar("View", bound=Callable[..., Any])

_ATTRIBUTE = "described"


class Tag(StrEnum):
    """The parts of the document, in order."""

    ITEMS = "Items"
    VARIATIONS = "Variations"
    ITEM_GROUPS = "Item groups"
    FILES = "Catalogue files"
    TASKS = "Tasks"
    GUARDS = "Guards"
    CHANGES = "Changes"
    WEBHOOKS = "Webhooks"
    SERVICE = "Service"


@dataclass(frozen=True, slots=True)
class Answer:
    """A success response."""

    text: str
    #: A schema, alternative schemas, or a plain JSON schema.
    schema: type[Schema] | tuple[type[Schema], ...] | Mapping[str, Any]
    example: Any = None
    #: Empty: the response has no body.
    media_types: tuple[str, ...] = ("application/json",)
    #: Headers besides those of every response.
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EntriesBody:
    """A body with entries of a kind; a setting limits their number."""

    name: str
    schema: type[Schema]
    example: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class JsonBody:
    """A body that is one object."""

    schema: type[Schema]
    example: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FilesBody:
    """A multipart body of files, at least one of them."""

    #: Name of a part: its description.
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Description:
    """One operation."""

    #: One line, without a full stop.
    summary: str
    tag: Tag
    answers: Mapping[int, Answer]
    #: Further sentences, CommonMark.
    text: str = ""
    query: type[Query] = Query
    body: EntriesBody | JsonBody | FilesBody | None = None
    #: Error statuses besides those of every operation that needs a token.
    errors: tuple[int, ...] = ()
    #: It needs neither key nor token.
    public: bool = field(default=False)


_PARAMETERS = Parameters()
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
#: Bodies that count as none.
_EMPTY_BODIES = frozenset({b"", b"{}", b"null"})
_EMPTY_BODY_BYTES = 100


def describe(description: Description) -> Callable[[View], View]:
    """Attach a description to a view.

    Unless it is public, the view refuses parameters that may have been meant but are not described, and a body where
    none is.
    """
    names = parameter_names(description.query)
    synonyms = (old for old, new in SYNONYMS.items() if new == "key" or new in names)
    taken = frozenset({*names, *synonyms, "key", *CLIENTS_OWN})
    _PARAMETERS.add(names)

    def attach(view: View) -> View:
        @functools.wraps(view)
        def strict(**arguments: Any) -> Any:
            query = description.query
            _PARAMETERS.refuse_unknown(request.args, taken, hints=query.hints, open_to_others=query.open_to_others)
            if description.body is None and request.method in _WRITES:
                _refuse_body()
            return view(**arguments)

        described = view if description.public else strict
        setattr(described, _ATTRIBUTE, description)
        return cast(View, described)

    return attach


def _refuse_body() -> None:
    """Raise Invalid if the current request has a body."""
    if len(body := request.stream.read(_EMPTY_BODY_BYTES)) == _EMPTY_BODY_BYTES or body.strip() not in _EMPTY_BODIES:
        raise Invalid(Problem("body", "this request takes no body, only a path and a query"))


def description_of(view: Callable[..., Any]) -> Description | None:
    """Return the description of a view."""
    return getattr(view, _ATTRIBUTE, None)
