"""What the commands print: tables, and JSON for programs on request.

Words that say how it went have a colour in a terminal; click leaves colours out of what goes to a pipe or a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import msgspec

json_option = click.option("--json", is_flag=True, help="Print JSON, for programs.")


def as_json(value: Any, *, lines: bool = False) -> None:
    """Print a value, or what is JSON already, as JSON; with ``lines`` on one line."""
    text = value if isinstance(value, bytes) else msgspec.json.encode(value)
    click.echo(text if lines else msgspec.json.format(text, indent=2))


_COLOURS = {
    "DONE": "green", "FAILED": "red", "CANCELED": "yellow", "IN_PROGRESS": "blue",
    "failed": "red", "delivered": "green", "given_up": "red", "stuck": "red",
}  # fmt: skip

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
        line(*(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def line(*cells: str) -> None:
    """Print the cells of one row."""
    coloured = (
        click.style(cell, fg=_COLOURS.get(cell.strip())) if cell.strip() in _COLOURS else cell for cell in cells
    )
    click.echo("  ".join(coloured).rstrip())


def _cell(cell: Cell) -> str:
    if cell is None:
        return "-"
    return f"{cell:.1f}" if isinstance(cell, float) else str(cell)
