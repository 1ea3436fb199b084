"""``/v1/items_fields_stats``: which fields the items of a section have."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from flask import Blueprint, Response, jsonify, request
from marshmallow import fields as ma
from marshmallow import validate

from api.errors import Invalid, NotFound, Problem
from api.http.auth import authorize, caller
from api.openapi.answers import TOTAL_COUNT, count, moment
from api.openapi.describe import Answer, Description, Tag, describe
from api.schemas import fields
from api.schemas.base import Strict, load_query
from api.schemas.fields import length
from api.schemas.queries import PagedQuery, SectionQuery, offset_of, page_size, section_or_default
from api.services import current_services
from shared.catalog.field_stats import FieldStats, FieldType, LastCount, SectionStats
from shared.clock import iso

#: Longest name of a field in the public contract.
LONGEST_NAME = 300


class SortBy(StrEnum):
    """What the fields are ordered by."""

    NAME = "name"
    PRESENCE = "percentage_presence"


class SortOrder(StrEnum):
    """The direction of the order."""

    ASCENDING = "ascending"
    DESCENDING = "descending"


class FieldsQuery(PagedQuery):
    """Parameters of a list of fields."""

    section = section_or_default()
    name = fields.Text(
        data_key="filters[name]",
        load_default=None,
        allow_none=False,
        validate=length(1, LONGEST_NAME),
        metadata={"description": "Return only the field of this name."},
    )
    num_results_per_page = page_size(20, most=1000)
    sort_by = fields.Choice(
        list(SortBy), load_default=SortBy.NAME, metadata={"description": "What the fields are ordered by."}
    )
    sort_order = fields.Choice(
        list(SortOrder), load_default=SortOrder.ASCENDING, metadata={"description": "The direction of the order."}
    )


class FieldStatsSchema(Strict):
    """The statistics of one field."""

    name = fields.Text(
        required=True, validate=length(1, LONGEST_NAME), metadata={"description": "The name of the field."}
    )
    percentage_presence = ma.Float(
        required=True,
        validate=validate.Range(0, 1),
        metadata={"description": "Share of the counted items that have a value for it, other than null."},
    )
    type = fields.Choice(
        list(FieldType),
        required=True,
        metadata={"description": "The JSON type of its values; `mixed` if they are of several."},
    )
    example_items = fields.ListOf(
        fields.Text(),
        required=True,
        metadata={"description": "Up to five of its values as text; those of more than 100 characters are cut."},
    )
    created_at = moment(description="When it was first counted.")
    updated_at = moment(description="When it was last counted.")


class FieldStatsPage(Strict):
    """A page of fields, and how far the count can be trusted."""

    items_fields_stats = fields.ListOf(fields.Object(FieldStatsSchema), required=True)
    total_count = count(description=TOTAL_COUNT)
    items_total = count(description="Number of items in the section at the time of the count.")
    items_counted = count(description="Number of those that were counted; if it is less, they are a sample.")
    counted_at = moment(nullable=True, description="When the count ended; null before the first one.")
    is_current = fields.Flag(
        required=True, metadata={"description": "Whether nothing was committed to the catalog since."}
    )


_EXAMPLE = {
    "name": "color",
    "percentage_presence": 0.75,
    "type": "array",
    "example_items": ['["blue"]', '["red","green"]'],
    "created_at": "2026-01-31T12:00:00Z",
    "updated_at": "2026-01-31T12:10:00Z",
}
_TEXT = (
    "Workers count in the background, usually within a minute of a change. Up to 100,000 items are all counted; of "
    "more, a sample of about 50,000. A field is a member of `data`, or a member of `facets` or `metadata` in it."
)

blueprint = Blueprint("field_stats", __name__, url_prefix="/v1/items_fields_stats")
blueprint.before_request(authorize)


@blueprint.get("")
@describe(
    Description(
        "List the fields of the items of a section",
        Tag.ITEMS,
        {
            200: Answer(
                "A page of fields; empty past the end.",
                FieldStatsPage,
                {
                    "items_fields_stats": [_EXAMPLE],
                    "total_count": 1,
                    "items_total": 4,
                    "items_counted": 4,
                    "counted_at": "2026-01-31T12:10:00Z",
                    "is_current": True,
                },
            )
        },
        text=_TEXT,
        query=FieldsQuery,
        errors=(404,),
    )
)
def get_list() -> Response:
    _refuse_other_filters()
    query = load_query(FieldsQuery, request.args)
    stats, is_current = _last_count(query["section"])
    found = [] if stats is None else stats.fields
    if query["name"] is not None:
        found = [field for field in found if field.name == query["name"]]
    found = ordered(found, query["sort_by"], query["sort_order"])
    size = query["num_results_per_page"]
    first = offset_of(query, size) or 0
    return jsonify(
        items_fields_stats=[] if stats is None else [_shown(field, stats) for field in found[first : first + size]],
        total_count=len(found),
        items_total=0 if stats is None else stats.total,
        items_counted=0 if stats is None else stats.counted,
        counted_at=None if stats is None else iso(stats.counted_ms),
        is_current=is_current,
    )


@blueprint.get("/<anything:field_name>")
@describe(
    Description(
        "Read the statistics of one field",
        Tag.ITEMS,
        {200: Answer("The field.", FieldStatsSchema, _EXAMPLE)},
        text=_TEXT + " 404 if no counted item has the field.",
        query=SectionQuery,
        errors=(404,),
    )
)
def get_one(field_name: str) -> Response:
    section = load_query(SectionQuery, request.args)["section"]
    stats, _ = _last_count(section)
    for field in [] if stats is None else stats.fields:
        if field.name == field_name and stats is not None:
            return jsonify(_shown(field, stats))
    when = "no item was counted yet" if stats is None else f"counted {iso(stats.counted_ms)}"
    raise NotFound(f"no item of section {section!r} has a field {field_name!r} ({when})")


def ordered(found: Sequence[FieldStats], by: SortBy, order: SortOrder) -> list[FieldStats]:
    """Order fields; those that as many items have, by name."""
    descending = order is SortOrder.DESCENDING
    if by is SortBy.NAME:
        return sorted(found, key=lambda field: field.name, reverse=descending)
    return sorted(found, key=lambda field: (-field.items if descending else field.items, field.name))


def _last_count(section: str) -> LastCount:
    services = current_services()
    if services.settings.field_stats == "off":
        raise NotFound("Field statistics are switched off (SLUICE_FIELD_STATS).")
    return services.field_statistics(caller().catalog_key).last(section)


def _refuse_other_filters() -> None:
    """Raise Invalid for a filter by anything but the name."""
    others = [name for name in request.args if name.startswith("filters") and name != "filters[name]"]
    if others:
        raise Invalid(*(Problem(name[:LONGEST_NAME], fields.EXTRA) for name in others))


def _shown(field: FieldStats, stats: SectionStats) -> dict[str, Any]:
    return {
        "name": field.name,
        "percentage_presence": stats.presence(field),
        "type": field.type,
        "example_items": field.examples,
        "created_at": iso(field.created_ms),
        "updated_at": iso(stats.counted_ms),
    }
