"""Settings, read from a mapping."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from shared.errors import BadSetting
from shared.settings import Settings, unknown_variables, variable


def test_nothing_set_means_the_defaults() -> None:
    """An empty variable counts as absent, as in a compose file."""
    assert Settings.from_env({}) == Settings()
    assert Settings.from_env({"SLUICE_PORT": "", "SLUICE_REDIS_URL": "  "}) == Settings()


def test_each_type_is_read() -> None:
    read = Settings.from_env(
        {
            "SLUICE_PORT": " 9000 ",
            "SLUICE_SLICE_S": "0.5",
            "SLUICE_REDIS_URL": "redis://elsewhere/3",
            "SLUICE_DATA_DIR": "/somewhere",
            "SLUICE_DURABILITY": "fsync",
        }
    )
    assert (read.port, read.slice_s, read.redis_url) == (9000, 0.5, "redis://elsewhere/3")
    assert (read.data_dir, read.durability) == (Path("/somewhere"), "fsync")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("SLUICE_PORT", "http", "not a whole number"),
        ("SLUICE_PORT", "0", "less than 1"),
        ("SLUICE_SLICE_S", "soon", "not a number"),
        ("SLUICE_SLICE_S", "nan", "less than 0.01"),
        ("SLUICE_LEASE_TTL_S", "0.1", "less than 0.5"),
        ("SLUICE_DURABILITY", "perhaps", "not one of everysec, fsync"),
        ("SLUICE_LOG_LEVEL", "debug", "not one of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_what_does_not_parse_is_named(name: str, text: str, problem: str) -> None:
    with pytest.raises(BadSetting, match=f"{name}='{text}': {problem}"):
        Settings.from_env({name: text})


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(BadSetting, match=r"SLUICE_PORT=.*; SLUICE_SLICE_S="):
        Settings.from_env({"SLUICE_PORT": "x", "SLUICE_SLICE_S": "y"})


def test_unknown_variables_are_named_with_the_nearest_that_is() -> None:
    """A typo must not pass in silence."""
    environ = {"SLUICE_REDIS_ULR": "x", "SLUICE_PORT": "1", "SLUICE_ZZZZZZZZ": "x", "PATH": "x"}
    assert unknown_variables(environ) == ["SLUICE_REDIS_ULR (did you mean SLUICE_REDIS_URL?)", "SLUICE_ZZZZZZZZ"]


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda field: field.name)
def test_every_default_is_one_that_could_be_set(field: dataclasses.Field[object]) -> None:
    """And every setting says what it means."""
    assert field.metadata["doc"].endswith((".", ")"))
    if field.default is not None:
        read = Settings.from_env({variable(field): str(field.default)})
        assert getattr(read, field.name) == field.default
