"""``sluice completion``: let a shell complete commands, options and their values."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands and options.

    \b
    bash: eval "$(sluice completion bash)"    in ~/.bashrc
    zsh:  eval "$(sluice completion zsh)"     in ~/.zshrc, after compinit
    fish: sluice completion fish | source     in ~/.config/fish/config.fish
    """
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(context.find_root().command, {}, "sluice", "_SLUICE_COMPLETE").source())
