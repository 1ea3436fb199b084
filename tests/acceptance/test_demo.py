"""``make demo``: the first command of the README."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.demo.postgres_server import find_programs
from tests.acceptance.up_process import up_environ

ROOT = Path(__file__).parents[2]


def run_demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.demo", "--exit", *arguments], cwd=ROOT, capture_output=True, text=True,
        env=os.environ | up_environ(folder / "var"), timeout=200,
    )  # fmt: skip


@pytest.mark.timeout(240)
def test_the_demo_ends_with_the_service_and_its_model_of_one_mind(tmp_path: Path) -> None:
    """Everything is accepted, applied and compared; then all processes are stopped."""
    ran = run_demo(tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.timeout(240)
@pytest.mark.skipif(find_programs() is None and os.environ.get("CI") != "true", reason="PostgreSQL is not installed")
def test_with_a_sink_it_ends_with_the_same_in_a_table(tmp_path: Path) -> None:
    """PostgreSQL is its own, and gone at the end."""
    ran = run_demo(tmp_path, "--sink=postgres")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    [items] = re.findall("read back ([0-9,]+) items: equal to the model", ran.stdout)
    assert f"compared  {items} items: equal to what is stored" in ran.stdout
    [folder] = re.findall(r"psql 'postgresql://demo@/postgres\?host=([^']+)'", ran.stdout)
    assert not Path(folder).exists()


def test_a_sink_that_there_is_not_is_told_before_anything_starts(tmp_path: Path) -> None:
    ran = run_demo(tmp_path, "--sink=gopher://there")
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.startswith("demo: a URL of a sink begins with")
