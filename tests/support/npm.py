"""Packages from npm that tests need: a client to be tested, a checker of pages."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

INSTALL_TIMEOUT_S = 120


def install_package(folder: Path, package: str, version: str) -> None:
    """Install a package in a folder.  Without node or the registry: skip at home, fail in CI."""
    problem = ""
    if not (shutil.which("node") and shutil.which("npm")):
        problem = "node and npm are not there"
    else:
        command = ["npm", "install", "--silent", "--no-save", "--no-audit", "--no-fund", "--prefix", str(folder)]
        ran = subprocess.run(
            [*command, f"{package}@{version}"], capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
        if ran.returncode:
            problem = f"{package} {version} cannot be installed: {ran.stderr or ran.stdout}"
    if problem and os.environ.get("CI") == "true":
        pytest.fail(problem)
    if problem:
        pytest.skip(problem)
