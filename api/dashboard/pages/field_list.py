"""The *Fields* page: which fields the items of a section have."""

from __future__ import annotations

from flask import Blueprint, render_template

from api.dashboard.guard import readable
from api.dashboard.pages.records import choose_section
from api.dashboard.queries import FieldsForm, read_form
from api.services import current_services
from api.v1.field_stats import SortBy, SortOrder, ordered

#: Fields on a page.
PAGE = 100


def register(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/c/<catalog_key>/fields", "get_fields", get_fields, methods=["GET"])


def get_fields(catalog_key: str) -> str:
    readable(catalog_key)
    services, form = current_services(), read_form(FieldsForm)
    sections = services.catalog(catalog_key).sections()
    section = choose_section(form["section"], sections)
    stats, is_current = services.field_statistics(catalog_key).last(section)
    by = form["sort_by"]
    descending = SortOrder.DESCENDING if by is SortBy.PRESENCE else SortOrder.ASCENDING
    text = form["text"].strip().casefold()
    found = [] if stats is None else [field for field in stats.fields if text in field.name.casefold()]
    found, offset = ordered(found, by, descending), form["offset"]
    return render_template(
        "fields.html",
        catalog_key=catalog_key,
        page="fields",
        form=form,
        section=section,
        sections=sections or [section],
        stats=stats,
        is_current=is_current,
        is_on=services.settings.field_stats == "on",
        fields=found[offset : offset + PAGE],
        total=len(found),
        following=offset + PAGE if offset + PAGE < len(found) else None,
    )
