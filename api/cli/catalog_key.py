"""The catalog key argument of the commands."""

from __future__ import annotations

import click

from shared.credentials import CATALOG_KEY


def _key(_: click.Context, __: click.Parameter, value: str) -> str:
    if not CATALOG_KEY.fullmatch(value):
        raise click.BadParameter("a key has 1 to 100 characters of A-Z a-z 0-9 _ . -")
    return value


key_argument = click.argument("catalog_key", metavar="KEY", callback=_key)
