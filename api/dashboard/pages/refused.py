"""The *Refused writes* page: what was sent to a catalog and not accepted."""

from __future__ import annotations

from flask import Blueprint, render_template

from api.dashboard.guard import readable
from api.services import current_services


def register(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/c/<catalog_key>/refused", "get_refused", get_refused, methods=["GET"])


def get_refused(catalog_key: str) -> str:
    found = current_services().refused_writes(readable(catalog_key)).last()
    return render_template("refused.html", catalog_key=catalog_key, page="updates", found=found, live="idle")
