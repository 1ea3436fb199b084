"""What the commands print: tables, and JSON for programs on request."""

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


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header, in aligned columns."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
