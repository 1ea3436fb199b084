"""Show the answer to a dry run of catalogue files."""

from __future__ import annotations

from typing import Any

import click

from api.cli.remote.ingress import IngressError

#: Problems and warnings that are shown, of each.
SHOWN = 10
#: In the order of their columns.
OUTCOMES = ("created", "updated", "unchanged", "deleted", "ignored", "failed")


def show_dry_run(answer: dict[str, Any]) -> None:
    """Print what would become of the rows, and what is wrong with them.  Raises IngressError if the task would fail."""
    click.echo(" " * 16 + "".join(f"{outcome:>12}" for outcome in OUTCOMES))
    for kind, counts in answer["files"].items():
        click.echo(f"{kind:16}" + "".join(f"{counts.get(outcome, 0):>12,}" for outcome in OUTCOMES))
    _list("problem", [f"{error['loc']}: {error['msg']}" for error in answer["errors"]])
    _list("warning", [warning["message"] for warning in answer["warnings"]])
    refuse_if_it_would_fail(answer)


def refuse_if_it_would_fail(answer: dict[str, Any]) -> None:
    """Raise IngressError if this is the answer to a dry run whose task would fail."""
    if answer.get("would_fail"):
        raise IngressError(f"the task would fail: {answer['would_fail']}")


def _list(name: str, lines: list[str]) -> None:
    for line in lines[:SHOWN]:
        click.echo(f"{name}: {line}")
    if len(lines) > SHOWN:
        click.echo(f"… and {len(lines) - SHOWN} more: the API's answer to dry_run=true has them")
