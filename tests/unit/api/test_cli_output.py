"""What commands print: JSON on request, colours in a terminal and nowhere else.  No store."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from api.cli.main import sluice
from api.cli.output import table

#: Commands without --json: they print JSON anyway, or a text for people, or only say that it is done.
JSON_ANYWAY = {"get", "guards show", "items get", "tasks show"}
TEXTS = {"completion", "settings", "store", "top"}
DONE = {
    "catalogs copy", "catalogs delete", "credentials revoke", "cursors remove", "guards remove", "guards set",
    "partitions retry", "partitions skip", "sinks add", "sinks dead-letters discard", "sinks dead-letters retry",
    "sinks pause", "sinks remove", "sinks resume", "sinks resync", "sinks undo", "webhooks pause",
    "webhooks ping", "webhooks remove", "webhooks resend", "webhooks resume",
}  # fmt: skip


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        else:
            yield path + name, command


def test_all_that_tells_something_tells_it_in_json_too() -> None:
    without = {
        name
        for name, command in commands(sluice)
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert without == JSON_ANYWAY | TEXTS | DONE


@click.command()
@click.option("--json", is_flag=True)
def listed(json: bool) -> None:
    table(["ID", "STATUS", "ERROR"], [(7, "DONE", None), (8, "FAILED", "a DONE thing")], json=json)


def test_statuses_have_a_colour_in_a_terminal_and_none_in_a_pipe() -> None:
    plain = "ID  STATUS  ERROR\n7   DONE    -\n8   FAILED  a DONE thing\n"
    assert CliRunner().invoke(listed).output == plain
    coloured = CliRunner().invoke(listed, color=True).output
    assert click.unstyle(coloured) == plain
    assert click.style("DONE  ", fg="green") in coloured
    assert click.style("FAILED", fg="red") in coloured
    assert coloured.count("\x1b[0m") == 2


def test_json_has_every_cell_and_no_colour() -> None:
    rows = json.loads(CliRunner().invoke(listed, ["--json"], color=True).output)
    assert rows[0] == {"id": 7, "status": "DONE", "error": None}


@pytest.mark.parametrize(("value", "expected"), [("1", False), ("", True)])
def test_whoever_wants_no_colour_gets_none(value: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """https://no-color.org: whatever it is set to, if it is not empty."""
    monkeypatch.setenv("NO_COLOR", value)
    monkeypatch.setattr(sluice, "get_command", lambda *_: listed)
    assert ("\x1b[" in CliRunner().invoke(sluice, ["listed"], color=True).output) is expected
