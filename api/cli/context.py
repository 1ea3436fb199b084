"""Shared by the commands on the store: a mistyped catalog key is no new catalog."""

from __future__ import annotations

import difflib

import click

from api.services import current_services

#: Catalogs among which a mistyped key is looked for.
NEAR = 10_000


def check_known(catalog_key: str) -> None:
    """Raise ClickException, with the key that may be meant, unless there is such a catalog, or a token for it."""
    services = current_services()
    if services.backlog.knows(catalog_key) or services.credentials.knows(catalog_key):
        return
    near = difflib.get_close_matches(catalog_key, services.backlog.all_known(most=NEAR), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise click.ClickException(f"there is no catalog {catalog_key!r}: nobody sent to it, and no token names it{hint}")
