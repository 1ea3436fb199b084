"""What `make` installs is pinned, by hash, within the ranges of setup.cfg."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "requirements"
#: File → the extras that it has beside what Sluice itself needs.
LOCKS = {
    "run": [],
    "image": ["opensearch", "otel", "postgres", "typesense"],
    "dev": ["test", "check", "docs"],
    "bench": ["bench"],
    "audit": ["audit"],
}
#: A package, and its hashes.
_PINNED = re.compile(r"^([\w.-]+)==([\w.+!]+)(?: ; [^\\\n]+)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+$", re.MULTILINE)


def wanted(extras: list[str]) -> Iterator[Requirement]:
    """List what setup.cfg asks for."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    texts = [config["options"]["install_requires"], *(config["options.extras_require"][extra] for extra in extras)]
    for line in "\n".join(texts).splitlines():
        if line.strip() and not line.startswith("#"):
            yield Requirement(line)


def pinned(name: str) -> dict[str, set[str]]:
    """Read a file: package → its versions, which may differ by Python or platform."""
    found: dict[str, set[str]] = {}
    for package, version in _PINNED.findall((FOLDER / f"{name}.txt").read_text(encoding="utf-8")):
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_every_range_of_setup_cfg_is_pinned_within(name: str) -> None:
    """After a change of setup.cfg: run `make lock`."""
    pins = pinned(name)
    for requirement in wanted(LOCKS[name]):
        versions = pins.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement} is not in {name}.txt: run `make lock`"
        assert all(map(requirement.specifier.contains, versions)), f"{requirement}: {versions}: run `make lock`"


@pytest.mark.parametrize("name", LOCKS)
def test_nothing_is_installed_without_a_hash(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(lines) == len(_PINNED.findall(text)) > 20


def test_whoever_runs_it_has_the_versions_that_were_tested() -> None:
    tested = pinned("dev")
    for name in ("run", "image"):
        installed = pinned(name)
        assert {package: tested.get(package) for package in installed} == installed
