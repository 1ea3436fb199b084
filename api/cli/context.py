"""Shared by the commands: the services, the catalog key argument, tables."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import click

from api.cli.output import as_json
from api.services import current_services
from shared.credentials import CATALOG_KEY

#: Catalogs among which a mistyped key is looked for.
NEAR = 10_000


def _key(_: click.Context, __: click.Parameter, value: str) -> str:
    if not CATALOG_KEY.fullmatch(value):
        raise click.BadParameter("a key has 1 to 100 characters of A-Z a-z 0-9 _ . -")
    return value


key_argument = click.argument("catalog_key", metavar="KEY", callback=_key)


def check_known(catalog_key: str) -> None:
    """Raise ClickException, with the key that may be meant, unless there is such a catalog, or a token for it."""
    services = current_services()
    if services.backlog.knows(catalog_key) or services.credentials.knows(catalog_key):
        return
    near = difflib.get_close_matches(catalog_key, services.backlog.all_known(most=NEAR), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise click.ClickException(f"there is no catalog {catalog_key!r}: nobody sent to it, and no token names it{hint}")


#: What may stand in a cell; None: nothing.
Cell = str | int | float | None


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], *, json: bool = False) -> None:
    """Print rows under a header, in aligned columns, or as JSON: a list of objects, one a row."""
    if json:
        names = [name.lower().replace(" ", "_") for name in head]
        as_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    shown = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *shown, strict=True)]
    for row in (head, *shown):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(cell: Cell) -> str:
    if cell is None:
        return "-"
    return f"{cell:.1f}" if isinstance(cell, float) else str(cell)
