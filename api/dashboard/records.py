"""*Catalog*: find an item, variation or item group, see its record and what happened to it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

from api.dashboard.guard import readable
from api.dashboard.histories import entry_history
from api.dashboard.queries import CatalogForm, EntryForm, read_form
from api.services import services
from shared.catalogs import Entry
from shared.model import NO_SECTION, Kind

#: Entries on a page.
PAGE = 50
#: Where items are unless somebody says otherwise.
DEFAULT_SECTION = "Products"


def register(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/c/<catalog_key>/catalog", "get_catalog", get_catalog, methods=["GET"])
    blueprint.add_url_rule("/c/<catalog_key>/catalog/entry", "get_entry", get_entry, methods=["GET"])


def get_catalog(catalog_key: str) -> str:
    catalog = services().catalog(readable(catalog_key))
    form = read_form(CatalogForm)
    sections = catalog.sections()
    section = form["section"] or (DEFAULT_SECTION if DEFAULT_SECTION in sections or not sections else sections[0])
    of = NO_SECTION if form["kind"] is Kind.ITEM_GROUPS else section
    entries, more = _find(catalog_key, form, of)
    return render_template(
        "catalog.html",
        catalog_key=catalog_key,
        page="catalog",
        form=form,
        section=section,
        sections=sections or [section],
        kinds=list(Kind),
        entries=entries,
        more=more,
        total=catalog.page(form["kind"], of, offset=0, size=1)[1],
    )


def get_entry(catalog_key: str) -> tuple[str, int]:
    catalog = services().catalog(readable(catalog_key))
    form = read_form(EntryForm)
    kind, section = form["kind"], form["section"] or DEFAULT_SECTION
    of = NO_SECTION if kind is Kind.ITEM_GROUPS else section
    found = catalog.get(kind, of, [form["id"]])
    variations: list[Entry] = []
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


def _find(catalog_key: str, form: dict[str, Any], section: str) -> tuple[list[Entry], bool]:
    """Read the entries whose ids begin with what was typed in, ordered by id; tells whether there are more."""
    catalog, text = services().catalog(catalog_key), form["text"]
    after = form["after"]
    found = catalog.page_of_prefix(form["kind"], section, prefix=text, after=after, size=PAGE + 1)
    return found[:PAGE], len(found) > PAGE
