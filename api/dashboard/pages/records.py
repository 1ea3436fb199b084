"""The *Catalog* page: find an item, variation or item group, with its record and history."""

from __future__ import annotations

from flask import Blueprint, render_template

from api.dashboard.guard import readable
from api.dashboard.queries import CatalogForm, EntryForm, read_form
from api.history.entry_histories import entry_history
from api.schemas.cursors import read_cursor, write_cursor
from api.services import current_services
from shared.catalog.pages import StoredEntry
from shared.model import NO_SECTION, Kind

#: Entries on a page.
PAGE = 50
#: The section of items by default.
DEFAULT_SECTION = "Products"


def register(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/c/<catalog_key>/catalog", "get_catalog", get_catalog, methods=["GET"])
    blueprint.add_url_rule("/c/<catalog_key>/catalog/entry", "get_entry", get_entry, methods=["GET"])


def get_catalog(catalog_key: str) -> str:
    catalog = current_services().catalog(readable(catalog_key))
    form = read_form(CatalogForm)
    sections = catalog.sections()
    section = choose_section(form["section"], sections)
    of = NO_SECTION if form["kind"] is Kind.ITEM_GROUPS else section
    place = b"" if form["after"] is None else read_cursor(form["after"], parameter="after")
    page = catalog.page_from(form["kind"], of, place, prefix=form["text"], size=PAGE)
    return render_template(
        "catalog.html",
        catalog_key=catalog_key,
        page="catalog",
        form=form,
        section=section,
        sections=sections or [section],
        kinds=list(Kind),
        entries=page.entries,
        after=None if page.next_place is None else write_cursor(page.next_place),
        total=page.total,
    )


def choose_section(wanted: str | None, sections: list[str]) -> str:
    """Return the section that is wanted, or one that there is."""
    return wanted or (DEFAULT_SECTION if DEFAULT_SECTION in sections or not sections else sections[0])


def get_entry(catalog_key: str) -> tuple[str, int]:
    catalog = current_services().catalog(readable(catalog_key))
    form = read_form(EntryForm)
    kind, section = form["kind"], form["section"] or DEFAULT_SECTION
    of = NO_SECTION if kind is Kind.ITEM_GROUPS else section
    found = catalog.get(kind, of, [form["id"]])
    variations: list[StoredEntry] = []
    if kind is Kind.ITEMS:
        variations = catalog.get(Kind.VARIATIONS, of, ids) if (ids := catalog.variation_ids(of, form["id"])) else []
    history = entry_history(catalog_key, form["id"], kind=kind, section=of, before=form["before"])
    page = render_template(
        "entry.html",
        catalog_key=catalog_key,
        page="catalog",
        kind=kind,
        section=of,
        id=form["id"],
        entry=found[0] if found else None,
        variations=variations,
        history=history,
        live="idle",
    )
    return page, 200 if found or history.lines else 404
