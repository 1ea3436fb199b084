"""Links to the Integration page, for those who are told of something elsewhere."""

from __future__ import annotations


def update_url(public_url: str, catalog_key: str, task_id: int) -> str:
    """Return the address of the page of an update; ``public_url`` is SLUICE_PUBLIC_URL."""
    return f"{public_url.rstrip('/')}/integration/c/{catalog_key}/updates/{task_id}"


def followers_url(public_url: str, catalog_key: str) -> str:
    """Return the address of the page that shows webhooks and their deliveries."""
    return f"{public_url.rstrip('/')}/integration/c/{catalog_key}/followers"
