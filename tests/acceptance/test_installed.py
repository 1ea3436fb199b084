"""Sluice as `pipx install .` installs it: all that it opens is in the package, and the command runs anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.acceptance.customer import Customer

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "deploy", "shared", "workers")
MAIN = "from api.cli.main import main; main()"
#: Opened by what runs; the other files of `deploy` are for people and other programs.
OPENED = (".html", ".css", ".js", ".svg", ".lua")

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel has, and nothing else."""
    source, wheels, folder = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "installed"))
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source / file)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w"]
    subprocess.run([*build, wheels, source], check=True, timeout=120, capture_output=True)
    [wheel] = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def sluice(installed: Path, *words: str, **environ: str) -> str:
    """Run the command from another folder, on the installed code alone."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *words], cwd=installed.parent, env=env | {"PYTHONPATH": str(installed)} | environ,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_that_is_opened_is_in_the_package(installed: Path) -> None:
    wanted = {
        file.relative_to(ROOT)
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.suffix in (".py", *OPENED)
        if "grafana" not in file.parts
    }
    assert len(wanted) > 300
    assert {str(file) for file in wanted if not (installed / file).is_file()} == set()


def test_the_command_runs_from_anywhere(installed: Path, customer: Customer) -> None:
    """Its help has no option of a web framework; it needs no store to call a running ingress."""
    assert "sluice, version" in sluice(installed, "--version")
    for words in (["--help"], ["tasks", "--help"], ["credentials", "create", "--help"]):
        text = sluice(installed, *words)
        assert ("--app" in text, "--debug" in text, "--env-file" in text) == (False, False, False)
    said = sluice(
        installed, "tasks", "list", customer.catalog_key, SLUICE_URL=customer.url, SLUICE_TOKEN=customer.token
    )  # fmt: skip
    assert said.startswith("ID  STATUS")
