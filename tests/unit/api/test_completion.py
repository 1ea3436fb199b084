"""Shells complete the commands of ``sluice``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.completion import SHELLS
from api.cli.main import sluice


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_commands_and_values() -> None:
    """As a shell does that was told to in its start file; no store is needed."""
    typed = """
    eval "$(sluice completion bash)"
    completed() {
        COMPREPLY=() COMP_CWORD=$(($# - 1)) COMP_WORDS=("$@"); _sluice_completion sluice; echo "${COMPREPLY[@]}"
    }
    completed sluice tas
    completed sluice tasks entries acme 7 --outcome up
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(["bash", "-c", typed], env={"PATH": path}, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) == ("tasks\nupdated\n", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_its_script(shell: str) -> None:
    said = CliRunner().invoke(sluice, ["completion", shell]).output
    assert f"_SLUICE_COMPLETE={shell}_complete" in said


def test_a_shell_that_is_not_known_is_a_usage_error() -> None:
    """Exit code 2, in words."""
    ran = CliRunner().invoke(sluice, ["completion", "tcsh"])
    assert (ran.exit_code, "'tcsh' is not one of" in ran.output) == (2, True)
