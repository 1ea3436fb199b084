"""``sluice settings``: what can be set."""

from __future__ import annotations

from importlib.metadata import version

import click

from shared.settings import settings_table


@click.command("settings")
def show_settings() -> None:
    """Print all settings of this version with their defaults and meanings."""
    click.echo(f"Settings of Sluice {version('sluice')}\n\n{settings_table()}")
