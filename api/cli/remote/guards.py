"""``sluice guards``: the rules that stop a bad feed before it applies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from api.cli.output import as_json, json_option, table
from api.cli.remote.ingress import IngressClient, with_ingress
from shared.model import Kind

kind_argument = click.argument("kind", type=click.Choice([str(kind) for kind in Kind]))
section_option = click.option("--section", help="Section of items and variations; else Products.")


@click.group()
def guards() -> None:
    """Set the rules that stop a bad feed before it applies, over HTTP."""


@guards.command("list")
@with_ingress
@json_option
def list_guards(ingress: IngressClient, json: bool) -> None:
    """List the guards of a catalog, without their rules."""
    _list(ingress.call("GET", "/v1/guards")["guards"], json=json)


@guards.command("changes")
@with_ingress
@json_option
def list_changes(ingress: IngressClient, json: bool) -> None:
    """List who changed guards, newest first."""
    _list(ingress.call("GET", "/v1/guards/changes")["changes"], json=json)


@guards.command("show")
@with_ingress
@kind_argument
@section_option
def show_guard(ingress: IngressClient, kind: str, section: str | None) -> None:
    """Print the rules of KIND as JSON, as `set` takes them."""
    as_json(ingress.call("GET", f"/v1/guards/{kind}", section=section)["rules"])


@guards.command("set")
@with_ingress
@kind_argument
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@section_option
def set_guard(ingress: IngressClient, kind: str, file: Path, section: str | None) -> None:
    """Replace the rules of KIND by those in FILE (`-`: standard input), JSON."""
    with click.open_file(str(file), "rb") as stream:
        rules = stream.read()
    headers = {"Content-Type": "application/json"}
    guard = ingress.call("PUT", f"/v1/guards/{kind}", rules, headers=headers, section=section)
    click.echo(f"guard of {kind}: version {guard['version']}")


@guards.command("remove")
@with_ingress
@kind_argument
@section_option
def remove_guard(ingress: IngressClient, kind: str, section: str | None) -> None:
    """Remove the rules of KIND."""
    ingress.call("DELETE", f"/v1/guards/{kind}", section=section)
    click.echo("removed")


def _list(found: list[dict[str, Any]], *, json: bool) -> None:
    if json:
        as_json(found)
        return
    rows = [
        [
            str(one["version"]),
            one["kind"],
            one.get("section") or "-",
            "removed" if one["rules"] is None else one["rules"].get("mode", "enforce"),
            one["changed_at"],
            one["changed_by"],
        ]
        for one in found
    ]
    table(["VERSION", "KIND", "SECTION", "MODE", "CHANGED", "BY"], rows)
