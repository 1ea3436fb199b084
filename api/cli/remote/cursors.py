"""``sluice cursors``: how far the followers of the change feed are."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click
import msgspec

from api.cli.output import as_json, json_option, table
from api.cli.remote.ingress import IngressClient, with_ingress
from api.monitor.units import span

_name_argument = click.argument("name", metavar="NAME")


@click.group()
def cursors() -> None:
    """Look at cursors of the change feed, set and remove them, over HTTP."""


@cursors.command("list")
@with_ingress
@json_option
def list_cursors(ingress: IngressClient, json: bool) -> None:
    """List all cursors, with how far behind they are."""
    found = ingress.call("GET", "/v1/changes/cursors")["cursors"]
    if json:
        as_json(found)
    else:
        table(["NAME", "STATE", "TASKS", "ENTRIES", "BEHIND BY", "MOVED", "AFTER"], [_row(cursor) for cursor in found])


@cursors.command("set")
@with_ingress
@_name_argument
@click.argument("after", metavar="POSITION")
@json_option
def set_cursor(ingress: IngressClient, name: str, after: str, json: bool) -> None:
    """Create a cursor or move it, to a position that the feed has told; 0 is the beginning."""
    headers = {"Content-Type": "application/json"}
    kept = ingress.call("PUT", _path(name), msgspec.json.encode({"after": after}), headers=headers)
    as_json(kept) if json else click.echo(f"{kept['name']} is at {kept['after']}: {kept['state']}")


@cursors.command("remove")
@with_ingress
@_name_argument
def remove_cursor(ingress: IngressClient, name: str) -> None:
    """Remove a cursor."""
    ingress.call("DELETE", _path(name))
    click.echo("removed")


def _path(name: str) -> str:
    return f"/v1/changes/cursors/{quote(name, safe='')}"


def _row(cursor: dict[str, Any]) -> list[str]:
    lag = cursor["lag"]
    how_far = ["-", "-", "-"]
    if lag is not None:
        about = "~" if lag["entries_estimated"] else ""
        how_far = [str(lag["tasks"]), f"{about}{lag['entries']}", span(lag["seconds"] * 1000) if lag["tasks"] else "-"]
    return [cursor["name"], cursor["state"], *how_far, cursor["updated_at"], cursor["after"]]
