"""The Integration page asked through Flask's test client, as a browser without JavaScript would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.ingress import TOKEN, Ingress

ROOT = "/integration"


class Elements(HTMLParser):
    """All elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str]]] = []
        self.pieces: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        self.pieces.append(" ")

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)

    @property
    def text(self) -> str:
        """What a reader sees, with single blanks."""
        return " ".join("".join(self.pieces).split())

    def all(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for found, attributes in self.found if found == tag)


class Pages:
    """One visitor with cookies."""

    def __init__(self, ingress: Ingress) -> None:
        self.ingress = ingress
        self.client: FlaskClient = ingress.app.test_client()

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.client.get(ROOT + path, query_string=query or None)

    def page(self, path: str, *, expected: int = 200, **query: Any) -> Elements:
        """Read a page that must be there, or another, with this status."""
        answer = self.get(path, **query)
        assert answer.status_code == expected, (answer.status_code, answer.headers, answer.text[:500])
        assert answer.content_type == "text/html; charset=utf-8"
        return Elements(answer.text)

    def text(self, path: str, **query: Any) -> str:
        return self.page(path, **query).text

    def post(self, path: str, *, csrf: str | None = None, **form: str) -> TestResponse:
        """Send a form, with the word that belongs into it unless another is given."""
        return self.client.post(ROOT + path, data={"csrf": self.csrf() if csrf is None else csrf, **form})

    def csrf(self) -> str:
        """The word that forms of this session carry."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.client.get(ROOT + "/now", follow_redirects=True).text)
        assert found
        return found[1]

    def sign_in(self, secret: str = TOKEN) -> TestResponse:
        return self.post("/login", secret=secret)
