"""Write the OpenAPI document from the routes, the descriptions of their views and the schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from marshmallow import Schema
from werkzeug.routing import Rule

from api.openapi.answers import Error
from api.openapi.components import HEADERS, KEY, PATH
from api.openapi.describe import Answer, Description, EntriesBody, FilesBody, JsonBody, Tag, description_of
from api.openapi.error_responses import ALWAYS, REFUSALS, WITH_BODY, Refusal
from api.openapi.field_schemas import teach

INTRODUCTION = """\
Ordered, exactly-once catalogue ingestion. A write returns a task id at once. The batches of one catalog are applied
exactly once, in the order in which they were accepted.

Every request names its catalog (`key`) and carries a token: as the user name of HTTP Basic, with an empty password,
or as `Bearer`. Errors are JSON with a `message`. Bodies may be compressed (`Content-Encoding: gzip` or `zstd`).
Unknown query parameters are ignored, but those of other calls and misspelt ones are refused, and so are unlisted
members of a body. Every answer has an `X-Request-Id`."""

#: An argument of a route, with its converter.
_ARGUMENT = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_INVISIBLE = frozenset({"HEAD", "OPTIONS"})


def write_document(app: Flask, *, max_entries: int) -> dict[str, Any]:
    """Write the document of all routes with described views."""
    return _DocumentWriter(max_entries).write(app)


def described_routes(app: Flask) -> Iterator[tuple[str, str, Rule, Description | None]]:
    """List path, method, route and description of every route for programs; the dashboard's pages are for people."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("dashboard."):
            continue
        for method in sorted((rule.methods or set()) - _INVISIBLE):
            yield _path(rule), method.lower(), rule, description_of(app.view_functions[rule.endpoint])


def _path(rule: Rule) -> str:
    return _ARGUMENT.sub(r"{\1}", rule.rule)


class _DocumentWriter:
    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        plugin = MarshmallowPlugin()
        self._spec = APISpec(
            title="Sluice",
            version=version("sluice"),
            openapi_version="3.1.0",
            plugins=[plugin],
            info={"description": INTRODUCTION, "license": {"name": "MIT", "identifier": "MIT"}},
            servers=[{"url": "/"}],
            tags=[{"name": tag.value} for tag in Tag],
            security=[{"basic": []}, {"bearer": []}],
        )
        assert plugin.converter is not None
        self._converter = plugin.converter
        teach(self._converter)

    def write(self, app: Flask) -> dict[str, Any]:
        self._write_components()
        for path, method, rule, description in described_routes(app):
            if description is not None:
                self._spec.path(path=path, operations={method: self._operation(method, rule, description)})
        document: dict[str, Any] = self._spec.to_dict()
        return document

    def _write_components(self) -> None:
        components = self._spec.components
        components.security_scheme(
            "basic",
            {"type": "http", "scheme": "basic", "description": "The token is the user name; the password is empty."},
        )
        components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
        for name, header in HEADERS.items():
            components.header(name, header)
        components.parameter("key", "query", KEY)
        for refusal in REFUSALS.values():
            components.response(refusal.name, self._refusal(refusal))

    def _operation(self, method: str, rule: Rule, description: Description) -> dict[str, Any]:
        operation: dict[str, Any] = {
            "operationId": rule.endpoint.replace(".", "_"),
            "tags": [description.tag.value],
            "summary": description.summary,
        }
        if description.text:
            operation["description"] = description.text
        if description.public:
            operation["security"] = []
        writes = method != "get" and not description.public
        parameters = list(self._parameters(rule, description, writes=writes))
        if parameters:
            operation["parameters"] = parameters
        if description.body is not None:
            operation["requestBody"] = {"required": True, "content": self._content(description.body)}
        of_writes = ("Idempotency-Replayed",) if writes else ()
        operation["responses"] = {
            str(code): self._answer(answer, of_writes) for code, answer in description.answers.items()
        }
        also = (409,) if writes else ()
        for code in sorted({*_refusals(description), *also} - {*description.answers}):
            operation["responses"][str(code)] = {"$ref": f"#/components/responses/{REFUSALS[code].name}"}
        return operation

    def _parameters(self, rule: Rule, description: Description, *, writes: bool) -> Iterator[dict[str, Any] | str]:
        if not description.public:
            yield "key"  # its name among the components
        for name in sorted(rule.arguments):
            yield {"in": "path", "name": name, "required": True, **PATH[name]}
        yield from self._converter.schema2parameters(description.query, location="query")
        if writes:
            yield {"in": "header", "name": "Idempotency-Key", **HEADERS["Idempotency-Key"]}

    def _content(self, body: EntriesBody | JsonBody | FilesBody) -> dict[str, Any]:
        if isinstance(body, FilesBody):
            return _files(body)
        entry = self._schema(body.schema)
        if isinstance(body, JsonBody):
            return {"application/json": {"schema": entry, "example": body.example}}
        entries = {"type": "array", "minItems": 1, "maxItems": self._max_entries, "items": entry}
        return {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {body.name: entries},
                    "required": [body.name],
                    "additionalProperties": False,
                },
                "example": {body.name: [body.example]},
            },
            "application/x-ndjson": {
                "schema": {"type": "string", "description": "The same entries, one per line."},
                "example": json.dumps(body.example) + "\n",
            },
        }

    def _answer(self, answer: Answer, of_writes: tuple[str, ...]) -> dict[str, Any]:
        written: dict[str, Any] = {"description": answer.text, "headers": _headers((*answer.headers, *of_writes))}
        if not answer.media_types:
            return written
        content: dict[str, Any] = {"schema": self._answer_schema(answer)}
        if answer.example is not None:
            content["example"] = answer.example
        return written | {"content": dict.fromkeys(answer.media_types, content)}

    def _answer_schema(self, answer: Answer) -> dict[str, Any]:
        if isinstance(answer.schema, tuple):
            return {"anyOf": [self._schema(schema) for schema in answer.schema]}
        return self._schema(answer.schema) if isinstance(answer.schema, type) else dict(answer.schema)

    def _refusal(self, refusal: Refusal) -> dict[str, Any]:
        return {
            "description": refusal.text,
            "headers": _headers(refusal.headers),
            "content": {"application/json": {"schema": self._schema(Error), "example": refusal.example}},
        }

    def _schema(self, schema: type[Schema]) -> dict[str, Any]:
        reference: dict[str, Any] = self._converter.resolve_nested_schema(schema)
        return reference


def _files(body: FilesBody) -> dict[str, Any]:
    file = {"type": "string", "contentMediaType": "text/csv"}
    parts = {name: file | {"description": text} for name, text in body.parts.items()}
    return {"multipart/form-data": {"schema": {"type": "object", "properties": parts, "minProperties": 1}}}


def _refusals(description: Description) -> tuple[int, ...]:
    if description.public:
        return description.errors
    return (*ALWAYS, *(WITH_BODY if description.body is not None else ()), *description.errors)


def _headers(names: tuple[str, ...]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}
