"""What holds for the source as a whole."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from shared import scripts
from shared.keys import CatalogKeys

ROOT = Path(__file__).parent.parent
LUA = ROOT / "shared" / "lua"
SCRIPTS = sorted(path.stem for path in LUA.glob("[!_]*.lua"))
INCLUDES = sorted(path.stem for path in LUA.glob("_*.lua"))
PACKAGES = ("api", "deploy", "shared", "workers")

MOST_LINES = 300
MOST_FUNCTION_LINES = 45

#: Files that are longer, and why.
LONG_FILES: dict[str, str] = {}
#: Functions that are longer, and why.
LONG_FUNCTIONS: dict[str, str] = {
    "shared/keys.py:__init__": "a list: every key of a catalog, and what it holds",
    "workers/app.py:create_celery": "the composition root: small functions, inside it because of what they share",
}


def _sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# -- scripts ----------------------------------------------------------------------------------------------------------


def _legend(name: str) -> list[str]:
    """The comment that begins a script, behind the line of its flags."""
    lines = (LUA / f"{name}.lua").read_text(encoding="utf-8").splitlines()[1:]
    code = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    return lines[:code]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_what_it_is(name: str) -> None:
    """Name and purpose, KEYS, ARGV and what it returns, before its first line of code; the flags before everything."""
    text = (LUA / f"{name}.lua").read_text(encoding="utf-8")
    assert re.match(r"#!lua( flags=[a-z,-]+)?\n", text), "the first bytes have to be the flags"
    legend = _legend(name)
    assert re.match(rf"-- {name}: \S.*\.$|-- {name}: \S", legend[0])
    for part in (r"-- KEYS", r"-- ARGV\[", r"-- Returns "):
        assert any(re.match(part, line) for line in legend), f"the legend has no line that begins with {part!r}"


@pytest.mark.parametrize("array", ["ARGV", "KEYS"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_legend_numbers_every_argument(name: str, array: str) -> None:
    """Without a gap, and none that the code uses is left out; ``…`` goes on to a number, or for ever."""
    legend = "\n".join(_legend(name))
    code = (LUA / f"{name}.lua").read_text(encoding="utf-8").replace(legend, "")
    last = len(CatalogKeys("acme").partition) if array == "KEYS" and "-- include: _partition" in code else 0
    for first, dots, to in re.findall(rf"^-- {array}\[(\d+)(…?)(\d*)\]", legend, re.MULTILINE):
        assert int(first) == last + 1
        last = int(to) if to else 10**6 if dots else int(first)
    single = re.findall(rf"{array}\[(\d+)\]", code)
    several = re.findall(rf"unpack\({array}, \d+, (\d+)\)", code)
    assert max(map(int, [*single, *several]), default=0) <= last


@pytest.mark.parametrize("name", INCLUDES)
def test_an_include_says_what_it_is_for(name: str) -> None:
    """It is no script, so it has no flags, and it is included by somebody."""
    assert (LUA / f"{name}.lua").read_text(encoding="utf-8").startswith("-- ")
    users = [
        script for script in SCRIPTS if f"-- include: {name}\n" in (LUA / f"{script}.lua").read_text(encoding="utf-8")
    ]
    assert users


def test_every_script_can_be_called() -> None:
    """Files and constants are the same set, and each constant is called like its file."""
    assert sorted(script.name for script in scripts.ALL) == SCRIPTS
    for name in SCRIPTS:
        assert getattr(scripts, name.upper()).name == name


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
def test_a_script_is_put_together_whole(script: scripts.Script) -> None:
    """The flags stay the first line, and no include is left standing."""
    assert script.text.startswith("#!lua")
    assert script.text.count("#!lua") == 1
    assert "-- include:" not in script.text


def _users(name: str) -> Iterator[str]:
    for path in _sources(*PACKAGES):
        if path == ROOT / "shared" / "scripts.py":
            continue
        for function in ast.walk(_tree(path)):
            if isinstance(function, ast.FunctionDef) and any(
                name in (getattr(node, "attr", None), getattr(node, "id", None)) for node in ast.walk(function)
            ):
                yield f"{_relative(path)}:{function.name}"


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
def test_a_script_has_one_typed_wrapper(script: scripts.Script) -> None:
    """One function, in shared/, knows in which order its arguments stand."""
    [user] = _users(script.name.upper())
    assert user.startswith("shared/")


def test_lua_and_python_name_the_keys_of_a_partition_alike() -> None:
    """They are passed by position: the names in _partition.lua are those of CatalogKeys.partition, in order."""
    text = (LUA / "_partition.lua").read_text(encoding="utf-8")
    names, count = re.search(r"local ([A-Z_,\s]+) = unpack\(KEYS, 1, (\d+)\)", text).groups()  # type: ignore[union-attr]
    in_lua = re.split(r",\s*", names)
    tuples = [
        node.value
        for node in ast.walk(_tree(ROOT / "shared" / "keys.py"))
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "attr", None) == "partition"
    ]
    in_python = [element.func if isinstance(element, ast.Call) else element for element in tuples[0].elts]  # type: ignore[attr-defined]
    assert in_lua == [element.attr.upper() for element in in_python]  # type: ignore[union-attr]
    assert int(count) == len(in_lua) == len(CatalogKeys("acme").partition)
    assert all(key.startswith("sluice:{acme}:") for key in CatalogKeys("acme").partition)


# -- sources ----------------------------------------------------------------------------------------------------------


def test_only_wait_until_sleeps() -> None:
    """Whoever waits says for what, and until when."""
    sleepers = {
        _relative(path)
        for path in _sources(*PACKAGES, "tests")
        for node in ast.walk(_tree(path))
        if "sleep" in (getattr(node, "attr", None), getattr(node, "id", None))
    }
    assert sleepers == {"shared/waiting.py"}


def test_files_stay_small() -> None:
    """Every project of this kind has one runaway file."""
    lengths = {_relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in _sources(*PACKAGES)}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES and name not in LONG_FILES} == {}
    assert [name for name in LONG_FILES if lengths.get(name, 0) <= MOST_LINES] == [], "no longer long"


def test_functions_stay_small() -> None:
    lengths = {
        f"{_relative(path)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in _sources(*PACKAGES)
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef)
    }
    long = {
        name: lines for name, lines in lengths.items() if lines > MOST_FUNCTION_LINES and name not in LONG_FUNCTIONS
    }
    assert long == {}
    assert [name for name in LONG_FUNCTIONS if lengths.get(name, 0) <= MOST_FUNCTION_LINES] == [], "no longer long"
