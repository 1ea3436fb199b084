"""The OpenAPI document: made from the routes, what their views say of themselves, and the schemas."""

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

from api.answer_schemas import Error
from api.describing import Answer, Description, EntriesBody, FilesBody, JsonBody, Tag, description_of
from api.glossary import HEADERS, PARAMETERS
from api.openapi_fields import teach
from api.refusals import ALWAYS, REFUSALS, WITH_BODY, Refusal
from api.schemas import MAX_INT32
from shared.credentials import CATALOG_KEY

INTRODUCTION = """\
Ordered, exactly-once catalogue ingestion. A write is answered with a task id at once; batches of one catalog are
applied once, in the order they were accepted.

Every request names its catalog (`key`) and carries a token: as user of HTTP Basic, with an empty password, or as
`Bearer`. Errors are JSON with a `message`. Bodies may be compressed (`Content-Encoding: gzip` or `zstd`). Query
parameters that are not listed are ignored. Every answer has an `X-Request-Id`."""

#: An argument of a route, with its converter.
_ARGUMENT = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_INVISIBLE = frozenset({"HEAD", "OPTIONS"})

_HEADER_SCHEMAS: dict[str, dict[str, Any]] = {
    "Idempotency-Key": {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
    "Idempotency-Replayed": {"type": "string", "enum": ["true"]},
    "X-RateLimit-Tasks-Remaining": {"type": "integer", "minimum": 0},
    "Retry-After": {"type": "integer", "minimum": 1},
}
_PATH_SCHEMAS: dict[str, dict[str, Any]] = {"task_id": {"type": "integer", "minimum": 1, "maximum": MAX_INT32}}


def write_document(app: Flask, *, max_entries: int) -> dict[str, Any]:
    """Write the document of all routes whose views are described."""
    return _Writer(max_entries).write(app)


def described_routes(app: Flask) -> Iterator[tuple[str, str, Rule, Description | None]]:
    """List path, method, route and description of everything that programs can ask for; pages are for people."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("dashboard."):
            continue
        for method in sorted((rule.methods or set()) - _INVISIBLE):
            yield _path(rule), method.lower(), rule, description_of(app.view_functions[rule.endpoint])


def _path(rule: Rule) -> str:
    return _ARGUMENT.sub(r"{\1}", rule.rule)


class _Writer:
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
                self._spec.path(path=path, operations={method: self._operation(rule, description)})
        document: dict[str, Any] = self._spec.to_dict()
        return document

    def _write_components(self) -> None:
        components = self._spec.components
        components.security_scheme("basic", {"type": "http", "scheme": "basic", "description": "User: the token."})
        components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
        for name, text in HEADERS.items():
            schema = _HEADER_SCHEMAS.get(name, {"type": "string"})
            components.header(name, {"description": text, "schema": schema})
        key = {"schema": {"type": "string", "pattern": f"^{CATALOG_KEY.pattern}$"}, "example": "acme"}
        components.parameter("key", "query", {"required": True, "description": PARAMETERS["key"], **key})
        for refusal in REFUSALS.values():
            components.response(refusal.name, self._refusal(refusal))

    def _operation(self, rule: Rule, description: Description) -> dict[str, Any]:
        operation: dict[str, Any] = {
            "operationId": rule.endpoint.replace(".", "_"),
            "tags": [description.tag.value],
            "summary": description.summary,
        }
        if description.text:
            operation["description"] = description.text
        if description.public:
            operation["security"] = []
        parameters = list(self._parameters(rule, description))
        if parameters:
            operation["parameters"] = parameters
        if description.body is not None:
            operation["requestBody"] = {"required": True, "content": self._content(description.body)}
        operation["responses"] = {str(code): self._answer(answer) for code, answer in description.answers.items()}
        for code in sorted({*_refusals(description)} - {*description.answers}):
            operation["responses"][str(code)] = {"$ref": f"#/components/responses/{REFUSALS[code].name}"}
        return operation

    def _parameters(self, rule: Rule, description: Description) -> Iterator[dict[str, Any] | str]:
        if not description.public:
            yield "key"  # by the name it has among the components
        for name in sorted(rule.arguments):
            schema = _PATH_SCHEMAS.get(name, {"type": "string", "minLength": 1})
            yield {"in": "path", "name": name, "required": True, "description": PARAMETERS[name], "schema": schema}
        if description.query is not None:
            for parameter in self._converter.schema2parameters(description.query, location="query"):
                yield parameter | {"description": PARAMETERS[parameter["name"]]}
        for name in description.headers:
            yield {"in": "header", "name": name, "description": HEADERS[name], "schema": _HEADER_SCHEMAS[name]}

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
                "schema": {"type": "string", "description": "The same entries, one a line."},
                "example": json.dumps(body.example) + "\n",
            },
        }

    def _answer(self, answer: Answer) -> dict[str, Any]:
        written: dict[str, Any] = {"description": answer.text, "headers": _headers(answer.headers)}
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
