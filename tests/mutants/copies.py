"""Copies of the project in which something may be broken."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.mutants.breaks import Break

ROOT = Path(__file__).parents[2]
COPIED = ("api", "deploy", "shared", "tests", "workers", "setup.cfg", "pyproject.toml", "README.md")


class NotThere(Exception):
    """What is to be taken away is not where it was."""


@contextlib.contextmanager
def project_copy() -> Iterator[Path]:
    """Copy the project for a while; returns the folder."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, root / name)
        yield root


@contextlib.contextmanager
def broken(root: Path, one: Break) -> Iterator[None]:
    """Break a copy for a while.  Raises NotThere."""
    path = root / one.path
    whole = path.read_text(encoding="utf-8")
    if whole.count(one.old) != 1:
        raise NotThere("the source no longer has exactly one such place")
    path.write_text(whole.replace(one.old, one.new), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(whole, encoding="utf-8")


def run_in(root: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module in a copy."""
    env = os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=900, check=False)
