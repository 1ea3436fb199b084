"""The *Followers* page: who follows a catalog, how far behind they are, and what came of calling them."""

from __future__ import annotations

from flask import Blueprint, render_template

from api.dashboard.guard import readable
from api.follow.webhooks import webhook_state
from api.services import current_services
from shared.tasks.cursors import lag_s

#: Most deliveries listed.
DELIVERIES = 50


def register(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/c/<catalog_key>/followers", "get_followers", get_followers, methods=["GET"])


def get_followers(catalog_key: str) -> str:
    readable(catalog_key)
    services = current_services()
    outbox, now_ms = services.outbox(catalog_key), services.clock()
    troubles, webhooks = outbox.troubles(), services.webhooks(catalog_key).all()
    return render_template(
        "followers.html",
        catalog_key=catalog_key,
        page="followers",
        cursors=[(report, lag_s(report, now_ms) * 1000) for report in services.cursors(catalog_key).all()],
        webhooks=[
            (webhook, webhook_state(webhook, troubles.get(webhook.id)), troubles.get(webhook.id))
            for webhook in webhooks
        ],
        waiting={webhook.id: outbox.waiting(webhook.id) for webhook in webhooks},
        urls={webhook.id: webhook.url for webhook in webhooks},
        deliveries=outbox.attempts(DELIVERIES),
        live="idle",
    )
