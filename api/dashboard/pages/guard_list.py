"""The *Guards* page: the rules that stop bad feeds, and who changed them."""

from __future__ import annotations

from flask import Blueprint, render_template

from api.dashboard.guard import readable
from api.services import current_services
from shared.codec import encode_json
from shared.guards.guard_records import Guard
from shared.guards.rules import Mode, safeguard


def register(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/c/<catalog_key>/guards", "get_guards", get_guards, methods=["GET"])


def get_guards(catalog_key: str) -> str:
    guards = current_services().guards(readable(catalog_key))
    settings = current_services().settings
    return render_template(
        "guards.html",
        catalog_key=catalog_key,
        page="guards",
        guards=[(guard, _text(guard), _only_warns(guard)) for guard in guards.all()],
        safeguard=safeguard(None, settings),
        changes=[(guard, None if guard.rules is None else _text(guard)) for guard in guards.history()],
    )


def _text(guard: Guard) -> bytes:
    return encode_json(guard.rules)


def _only_warns(guard: Guard) -> bool:
    return guard.rules is not None and guard.rules.get("mode") == Mode.WARN
