"""``sluice store``: a command to the store's server, for those without valkey-cli."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click
from flask.cli import with_appcontext

from api.services import current_services
from shared.store.client import raw_command


@click.command("store", context_settings={"ignore_unknown_options": True})
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@with_appcontext
def store(words: tuple[str, ...]) -> None:
    """Send one command to the server of the store, and print its answer: `sluice store INFO memory`.

    Of a cluster, to the server that has the key. Nothing checks what it does: a command that writes can ruin a catalog.
    """
    for line in _lines(raw_command(current_services().client, words)):
        click.echo(line)


def _lines(reply: Any) -> Iterator[str]:
    if isinstance(reply, Mapping):
        for name, value in reply.items():
            yield f"{_text(name)}: {_text(value)}"
    elif isinstance(reply, list | tuple | set):
        for each in reply:
            yield from _lines(each)
    else:
        yield _text(reply)


def _text(value: Any) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
