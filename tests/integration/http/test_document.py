"""The OpenAPI document and its page say everything that there is, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import jsonschema_rs
import pytest

from api.app import create_app
from api.openapi.components import HEADERS, PATH
from api.openapi.document import described_routes
from api.openapi.error_responses import REFUSALS
from shared.settings import Settings

APP = create_app(replace(Settings(), redis_url="unix:///not-needed"))
DOCUMENT: dict[str, Any] = APP.test_client().get("/openapi.json").json
PAGE = APP.test_client().get("/docs")

OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


def look_up(reference: str) -> Any:
    """Follow a reference within the document."""
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def parts_of(value: Any) -> Iterator[dict[str, Any]]:
    """Walk through every object of the document."""
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from parts_of(member)
    elif isinstance(value, list):
        for member in value:
            yield from parts_of(member)


def test_every_route_is_in_the_document_and_nothing_else() -> None:
    routes = list(described_routes(APP))
    undescribed = [f"{method.upper()} {path}" for path, method, _, description in routes if description is None]
    assert undescribed == [], "these views need an @describe"
    assert {f"{method.upper()} {path}" for path, method, _, _ in routes} == set(OPERATIONS)


def test_the_document_is_openapi_3_1_and_names_its_version() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"]["version"] == APP.test_client().get("/version").json["version"]


def test_every_reference_leads_somewhere() -> None:
    for part in parts_of(DOCUMENT):
        if "$ref" in part:
            assert look_up(part["$ref"]) is not None


def test_every_schema_is_a_schema_and_is_used() -> None:
    used = {part["$ref"].rpartition("/")[2] for part in parts_of(DOCUMENT) if "$ref" in part}
    assert set(DOCUMENT["components"]["schemas"]) <= used
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_says_all_there_is_to_say(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["tags"]
    for parameter in operation.get("parameters", []):
        parameter = look_up(parameter["$ref"]) if "$ref" in parameter else parameter
        assert parameter["description"], parameter["name"]
        assert parameter["schema"], parameter["name"]
    public = operation.get("security") == []
    expected = set() if public else {"400", "401", "403", "503"}
    expected |= {"413", "415"} if "requestBody" in operation else set()
    assert expected <= set(operation["responses"])
    assert operation["responses"].keys() & {"200", "204"}
    for answer in operation["responses"].values():
        answer = look_up(answer["$ref"]) if "$ref" in answer else answer
        assert answer["description"]
        assert "X-Request-Id" in answer["headers"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_examples_fit_their_schemas(name: str) -> None:
    """Bodies and JSON answers have one, but for a payload and the document itself."""
    operation = OPERATIONS[name]
    contents = [answer["content"] for answer in operation["responses"].values() if "content" in answer]
    contents += [operation["requestBody"]["content"]] if "requestBody" in operation else []
    for content in contents:
        medium = content.get("application/json", {"example": None})
        if "example" not in medium:
            assert name in ("GET /openapi.json", "GET /v1/tasks/{task_id}/payload")
        elif medium["example"] is not None:
            schema = {**medium["schema"], "components": DOCUMENT["components"]}
            jsonschema_rs.validator_for(schema, validate_formats=True).validate(medium["example"])


def test_the_examples_of_refusals_fit_their_schema() -> None:
    error = {**look_up("#/components/schemas/Error"), "components": DOCUMENT["components"]}
    for refusal in REFUSALS.values():
        jsonschema_rs.validate(error, refusal.example)


def test_no_header_or_part_of_a_path_is_described_that_is_not_there() -> None:
    assert {part["name"] for part in parts_of(DOCUMENT) if part.get("in") == "path"} == set(PATH)
    used = {part["$ref"].rpartition("/")[2] for part in parts_of(DOCUMENT) if "/headers/" in part.get("$ref", "")}
    used |= {part["name"] for part in parts_of(DOCUMENT) if part.get("in") == "header"}
    assert used == set(HEADERS)


def test_a_setting_shows_in_the_document() -> None:
    app = create_app(replace(Settings(), redis_url="unix:///not-needed", max_entries=17))
    content = app.test_client().get("/openapi.json").json["paths"]["/v2/items"]["put"]["requestBody"]["content"]
    assert content["application/json"]["schema"]["properties"]["items"]["maxItems"] == 17


# -- the page --------------------------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """Reads what a page links to and loads, and which tags it leaves open."""

    VOID = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "action", "srcset"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def outline() -> Outline:
    outline = Outline()
    outline.feed(PAGE.text)
    return outline


def test_the_page_shows_every_operation_and_schema(outline: Outline) -> None:
    assert PAGE.status_code == 200
    assert PAGE.mimetype == "text/html"
    assert {operation["operationId"] for operation in OPERATIONS.values()} <= set(outline.ids)
    assert {f"schema-{name}" for name in DOCUMENT["components"]["schemas"]} <= set(outline.ids)
    described = [part for part in parts_of(DOCUMENT) if "in" in part]
    for schema in DOCUMENT["components"]["schemas"].values():
        described += schema.get("properties", {}).values()
    texts = [part["description"] for part in described if "description" in part]
    assert len(texts) > 100
    for text in texts:
        words = re.split("[`\"'<>&\n]", text)[0]
        assert words in PAGE.text


def test_the_page_is_well_formed_and_its_links_lead_somewhere(outline: Outline) -> None:
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert [link for link in outline.links if link.startswith("#") and link[1:] not in outline.ids] == []


def test_the_page_needs_no_network(outline: Outline) -> None:
    assert {link for link in outline.links if not link.startswith("#")} == {"openapi.json"}
    assert not outline.tags & {"script", "link", "img", "iframe"}
    assert not re.search(r"@import|url\(", PAGE.text)
    assert "default-src 'none'" in PAGE.headers["Content-Security-Policy"]
