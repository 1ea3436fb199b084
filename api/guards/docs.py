"""OpenAPI descriptions of guards, with the schemas of their answers."""

from __future__ import annotations

from typing import Any

from api.guards.schemas import RulesSchema
from api.openapi.answers import moment, positive
from api.openapi.describe import Answer, Description, JsonBody, Tag
from api.schemas import fields
from api.schemas.base import Query, Strict
from api.schemas.queries import GroupSection, SectionQuery
from shared.model import Kind


class GuardSchema(Strict):
    """The rules for one kind in one section, and who set them."""

    kind = fields.Choice(list(Kind), required=True)
    section = fields.Text(metadata={"description": "Absent for item groups, which lie in none."})
    version = positive(required=True, description="Grows with every change of any guard of the catalog.")
    changed_at = moment()
    changed_by = fields.Text(required=True, metadata={"description": "Name of the token that set or removed it."})
    rules = fields.Object(
        RulesSchema, required=True, allow_none=True, metadata={"description": "null: the guard was removed."}
    )


class GuardList(Strict):
    """All guards of a catalog, by section."""

    guards = fields.ListOf(fields.Object(GuardSchema), required=True)


class GuardChanges(Strict):
    """The last changes of guards, newest first."""

    changes = fields.ListOf(fields.Object(GuardSchema), required=True)


_RULES: dict[str, Any] = {
    "max_updated": 0.6,
    "fields": {
        "data.price": {"at_least": 0.01, "factor": 3, "max_jumps": 0.05},
        "data.image_url": {"max_emptied": 0.01},
    },
    "required": ["data.url"],
}


def _example(kind: Kind) -> dict[str, Any]:
    section = {} if kind is Kind.ITEM_GROUPS else {"section": "Products"}
    rules = {"max_deleted": 0.1} if kind is Kind.ITEM_GROUPS else _RULES
    about = {"version": 3, "changed_at": "2026-01-31T12:00:00Z", "changed_by": "feed-team"}
    return {"kind": kind, **section, **about, "rules": rules}


def query_of(kind: Kind) -> type[Query]:
    """Return the parameters of a call about the guard of a kind."""
    return GroupSection if kind is Kind.ITEM_GROUPS else SectionQuery


LIST = Description(
    "List guards", Tag.GUARDS, {200: Answer("All of them.", GuardList, {"guards": [_example(Kind.ITEMS)]})}
)
CHANGES = Description(
    "List changes of guards",
    Tag.GUARDS,
    {200: Answer("The last 20, newest first.", GuardChanges, {"changes": [_example(Kind.ITEMS)]})},
)


def describe_get(kind: Kind) -> Description:
    return Description(
        f"Read the guard of {kind.many}",
        Tag.GUARDS,
        {200: Answer("Its rules, and who set them.", GuardSchema, _example(kind))},
        query=query_of(kind),
        errors=(404,),
    )


def describe_put(kind: Kind) -> Description:
    return Description(
        f"Set the guard of {kind.many}",
        Tag.GUARDS,
        {200: Answer("The guard as it is now.", GuardSchema, _example(kind))},
        text=(
            "Replaces all its rules. They hold for every task that is accepted after the answer; the same rules again "
            "change nothing. A task that breaks one FAILS and nothing is applied: its error has the numbers and its "
            "report the worst entries. `force=true` goes past rules about shares, never past `required` and `schema`. "
            "While there is a guard, tasks have `planned`; rules that are all absent (`{}`) only measure."
        ),
        query=query_of(kind),
        body=JsonBody(RulesSchema, _example(kind)["rules"]),
    )


def describe_remove(kind: Kind) -> Description:
    return Description(
        f"Remove the guard of {kind.many}",
        Tag.GUARDS,
        {200: Answer("The remaining guards.", GuardList, {"guards": []})},
        text="It is no error if there is none.",
        query=query_of(kind),
    )
