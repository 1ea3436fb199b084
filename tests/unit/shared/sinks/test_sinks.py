"""A sink is shown without its password, whatever that looks like."""

from __future__ import annotations

import pytest

from shared.sinks.sinks import Sink


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@host/db",
        "postgresql://user:secret?x@host/db",
        "postgresql://user:secret?x@host/db?password=secret",
        "postgresql://user:?secret@host/db?sslmode=require",
        "postgresql://user:a/secret@host/db",
        "postgresql://user:a@secret@host/db",
        "postgresql://user:a@b?secret@host/db",
        "postgresql://user:a/b?secret@host/db",
        "postgresql://host/db?user=user&password=secret",
        "postgresql://host/db?password=a@secret",
        "postgresql://:secret#1@host/db",
        "postgresql://user:secret@host/db?password=a@secret",
    ],
)
def test_no_password_is_shown(url: str) -> None:
    shown = Sink("id", "products", url, "Products", 0).shown_url
    assert shown in {"postgresql://***@host/db", "postgresql://host/db", "postgresql://***"}


def test_the_host_of_a_usual_url_is_shown() -> None:
    shown = Sink("id", "products", "postgresql://user:a@b@host:5433/db?sslmode=require", "Products", 0).shown_url
    assert shown == "postgresql://***@host:5433/db"
