"""``make demo``: the first command of the README."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.up_process import up_environ

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(240)
def test_the_demo_ends_with_the_service_and_its_model_of_one_mind(tmp_path: Path) -> None:
    """Everything is accepted, applied and compared; then all processes are stopped."""
    environ = os.environ | up_environ(tmp_path / "var")
    ran = subprocess.run(
        [sys.executable, "-m", "deploy.demo", "--exit"], cwd=ROOT, env=environ, capture_output=True, text=True,
        timeout=200,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
