"""What a view says of itself for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from marshmallow import Schema

View = TypeVar("View", bound=Callable[..., Any])

_ATTRIBUTE = "described"


class Tag(StrEnum):
    """The parts of the document, in the order they are shown."""

    ITEMS = "Items"
    VARIATIONS = "Variations"
    ITEM_GROUPS = "Item groups"
    FILES = "Catalogue files"
    TASKS = "Tasks"
    CHANGES = "Changes"
    WEBHOOKS = "Webhooks"
    SERVICE = "Service"


@dataclass(frozen=True, slots=True)
class Answer:
    """A success."""

    text: str
    #: A schema, several of which it is one, or a plain JSON schema.
    schema: type[Schema] | tuple[type[Schema], ...] | Mapping[str, Any]
    example: Any = None
    #: None at all: it has no body.
    media_types: tuple[str, ...] = ("application/json",)
    #: Names of headers that it has beside those of every answer.
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EntriesBody:
    """A body that holds entries of a kind; how many, says a setting."""

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

    #: Name of a part → what is in it.
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
    query: type[Schema] | None = None
    #: Names of request headers that matter.
    headers: tuple[str, ...] = ()
    body: EntriesBody | JsonBody | FilesBody | None = None
    #: Statuses of the refusals it has beside those of every operation that needs a token.
    errors: tuple[int, ...] = ()
    #: It needs neither key nor token.
    public: bool = field(default=False)


def describe(description: Description) -> Callable[[View], View]:
    """Attach a description to a view."""

    def attach(view: View) -> View:
        setattr(view, _ATTRIBUTE, description)
        return view

    return attach


def description_of(view: Callable[..., Any]) -> Description | None:
    """Read what a view says of itself."""
    return getattr(view, _ATTRIBUTE, None)
