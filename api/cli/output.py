"""What the commands print: JSON for programs, on request."""

from __future__ import annotations

from typing import Any

import click
import msgspec

json_option = click.option("--json", is_flag=True, help="Print JSON, for programs.")


def as_json(value: Any, *, lines: bool = False) -> None:
    """Print a value, or what is JSON already, as JSON; with ``lines`` on one line."""
    text = value if isinstance(value, bytes) else msgspec.json.encode(value)
    click.echo(text if lines else msgspec.json.format(text, indent=2))
