"""Conventions that hold for the source as a whole."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from shared.keys import CatalogKeys
from shared.store import scripts
from shared.store.script import PARTITION_KEYS, Script, WrongSignature

ROOT = Path(__file__).parent.parent
LUA = ROOT / "shared" / "lua"
SCRIPTS = sorted(path.stem for path in LUA.glob("[!_]*.lua"))
INCLUDES = sorted(path.stem for path in LUA.glob("_*.lua"))
PACKAGES = ("api", "deploy", "shared", "workers")

MOST_LINES = 300
MOST_FUNCTION_LINES = 45

#: Files that are longer, and why.
LONG_FILES: dict[str, str] = {
    "shared/store/signatures.py": "a list: every script, and its arguments",
}
#: Functions that are longer, and why.
LONG_FUNCTIONS: dict[str, str] = {
    "shared/keys.py:__init__": "a list: every key of a catalog, and what it holds",
    "shared/store/signatures.py:commit_chunk": "a list: every argument of the largest script",
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
    for part in (r"-- KEYS", r"-- ARGV  ", r"-- Returns "):
        assert any(re.match(part, line) for line in legend), f"the legend has no line that begins with {part!r}"


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_uses_its_arguments_by_name(name: str) -> None:
    """Every field of the legend is used, and no position is."""
    legend = "\n".join(_legend(name))
    code = (LUA / f"{name}.lua").read_text(encoding="utf-8").replace(legend, "")
    assert not re.search(r"\b(ARGV|KEYS)\b", code)
    used = code + "".join((LUA / f"{each}.lua").read_text(encoding="utf-8") for each in INCLUDES)
    fields = re.findall(r"^-- (?:ARGV|KEYS)  (\w+)…?(?:  |$)", legend, re.MULTILINE)
    assert [field for field in fields if not re.search(rf"\b{field}\b", used)] == []


def test_a_signature_that_differs_from_its_legend_fails_at_import() -> None:
    def release_lease(partition: Sequence[str], *, tokn: str) -> None: ...

    with pytest.raises(WrongSignature, match="release_lease: signature and legend differ in token, tokn"):
        Script(release_lease)


def test_a_call_with_a_wrong_field_is_no_call() -> None:
    """Types find it before; this is for whoever calls without them."""
    keys = CatalogKeys("acme").partition
    call: Any = scripts.RELEASE_LEASE.command
    for wrong in ({}, {"tokn": "t"}, {"token": "t", "more": 1}):
        with pytest.raises(TypeError, match="release_lease"):
            call(keys, **wrong)
    with pytest.raises(TypeError, match="release_lease"):
        call(token="t")
    assert call(keys, token="t")[2:] == (len(keys), *keys, "t")


MOST_SCRIPT_LINES = 150


@pytest.mark.parametrize("name", [*SCRIPTS, *INCLUDES])
def test_scripts_stay_small(name: str) -> None:
    assert len((LUA / f"{name}.lua").read_text(encoding="utf-8").splitlines()) <= MOST_SCRIPT_LINES


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


@cache
def _users() -> dict[str, list[str]]:
    """By each name in the source, but for that of scripts.py: the functions that use it."""
    users: dict[str, list[str]] = defaultdict(list)
    for path in _sources(*PACKAGES):
        if path == ROOT / "shared" / "store" / "scripts.py":
            continue
        for function in (node for node in ast.walk(_tree(path)) if isinstance(node, ast.FunctionDef)):
            found = {getattr(node, kind, None) for node in ast.walk(function) for kind in ("attr", "id")}
            for name in found:
                users[str(name)].append(f"{_relative(path)}:{function.name}")
    return users


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
def test_a_script_has_one_typed_wrapper(script: scripts.Script) -> None:
    """One function, in shared/, knows in which order its arguments stand."""
    [user] = _users()[script.name.upper()]
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
    assert PARTITION_KEYS == int(count) == len(in_lua) == len(CatalogKeys("acme").partition)
    assert all(key.startswith("sluice:{acme}:") for key in CatalogKeys("acme").partition)


# -- sources ----------------------------------------------------------------------------------------------------------


def test_only_wait_until_sleeps() -> None:
    """Whoever waits says for what, and until when."""
    sleepers = {
        _relative(path)
        for path in _sources(*PACKAGES, "tests")
        if "sleep" in path.read_text(encoding="utf-8")
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


#: Modules of one folder.
MOST_MODULES = 15
#: Roles that a folder may have a file for, under the same name everywhere.
ROLES = {"__init__", "answers", "docs", "queries", "schemas", "views"}


def test_folders_stay_small() -> None:
    """Whoever looks for a place has to see at one glance which there are."""
    folders = Counter(path.parent for path in _sources(*PACKAGES) if path.name != "__init__.py")
    assert {_relative(folder): count for folder, count in folders.items() if count > MOST_MODULES} == {}


def test_a_class_name_stands_for_one_thing() -> None:
    classes = Counter(
        node.name
        for path in _sources(*PACKAGES)
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ClassDef) and node.name != "Meta"  # marshmallow's
    )
    assert [name for name, count in classes.items() if count > 1] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_module_name_stands_for_one_thing(package: str) -> None:
    """Within a package; but for roles, commands (called like what they are about), and v1 beside v2."""
    names = Counter(
        path.stem
        for path in _sources(package)
        if path.stem not in ROLES and not {"cli", "v1"} & set(path.relative_to(ROOT).parts)
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("path", [path for path in _sources(*PACKAGES) if path.name == "__init__.py"], ids=_relative)
def test_a_package_says_in_one_sentence_what_is_in_it(path: Path) -> None:
    text = ast.get_docstring(_tree(path)) or ""
    assert text.splitlines()[:1] == [text]
    assert text.endswith(".")
