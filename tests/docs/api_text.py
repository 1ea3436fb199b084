"""The OpenAPI document as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_BOUNDS = {"minimum": "≥ {}", "maximum": "≤ {}"}
_SIZES = {"Length": "characters", "Items": "entries"}


class ApiText:
    """Writes every operation, in the order of its tags, then every schema."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._components = document["components"]

    def write(self) -> str:
        """Write the whole text."""
        return "\n\n".join(self._paragraphs())

    def _paragraphs(self) -> Iterator[str]:
        yield self._document["info"]["description"]
        for tag in self._document["tags"]:
            yield f"## {tag['name']}"
            for path, methods in self._document["paths"].items():
                for method, operation in methods.items():
                    if tag["name"] in operation["tags"]:
                        yield from self._operation(f"{method.upper()} {path}", operation)
        yield "## Schemas"
        for name, schema in self._components["schemas"].items():
            yield f"### {name}"
            yield from self._schema(schema)

    def _operation(self, name: str, operation: Json) -> Iterator[str]:
        yield f"### {operation['summary']}"
        yield f"`{name}`" + (" (no token)" if operation.get("security") == [] else "")
        if "description" in operation:
            yield operation["description"]
        parameters = [self._looked_up(each) for each in operation.get("parameters", ())]
        if parameters:
            rows = [
                [f"`{each['name']}`", _place(each), self._type(each["schema"]), each["description"]]
                for each in parameters
            ]
            yield _table(["parameter", "in", "type", "meaning"], rows)
        if "requestBody" in operation:
            yield from self._body(operation["requestBody"]["content"])
        rows = [[code, *self._answer(self._looked_up(answer))] for code, answer in operation["responses"].items()]
        yield _table(["answer", "body", "meaning"], rows)

    def _body(self, content: Json) -> Iterator[str]:
        for medium, described in content.items():
            schema = described["schema"]
            if "properties" in schema:
                yield f"Body, `{medium}`:"
                yield from self._schema(schema)
            else:
                yield f"Body, `{medium}`: {schema.get('description') or self._type(schema)}"
            if medium == "application/json":
                yield f"```json\n{json.dumps(described['example'], indent=2, ensure_ascii=False)}\n```"

    def _answer(self, answer: Json) -> tuple[str, str]:
        shapes = {self._type(each["schema"]) for each in answer.get("content", {}).values()}
        return " or ".join(sorted(shapes)), answer["description"]

    def _schema(self, schema: Json) -> Iterator[str]:
        if "description" in schema:
            yield schema["description"]
        required = schema.get("required", ())
        rows = [
            [f"`{name}`", "yes" if name in required else "", self._type(field), field.get("description", "")]
            for name, field in schema.get("properties", {}).items()
        ]
        yield _table(["field", "required", "type", "meaning"], rows) if rows else self._type(schema)

    def _type(self, schema: Json) -> str:
        """Say of which type something is, within which bounds."""
        bounds = ", ".join(_bounds(schema))
        return self._shape(schema) + (f" ({bounds})" if bounds else "")

    def _shape(self, schema: Json) -> str:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return f"[{name}](#{name.lower()})"
        if "enum" in schema:
            return " \\| ".join(f"`{json.dumps(value).strip(chr(34))}`" for value in schema["enum"])
        if "anyOf" in schema:
            return " or ".join(map(self._type, schema["anyOf"]))
        types = schema.get("type", "anything")
        return " or ".join(self._one(name, schema) for name in ([types] if isinstance(types, str) else types))

    def _one(self, name: str, schema: Json) -> str:
        if name == "array" and "items" in schema:
            return "list of " + self._type(schema["items"])
        if name == "object" and isinstance(schema.get("additionalProperties"), dict):
            return "object of " + self._type(schema["additionalProperties"])
        return str(schema.get("format", name)) if name == "string" else name

    def _looked_up(self, part: Json) -> Json:
        while "$ref" in part:
            *_, kind, name = part["$ref"].split("/")
            part = self._components[kind][name]
        return part


def _place(parameter: Json) -> str:
    return parameter["in"] + (", required" if parameter.get("required") else "")


def _bounds(schema: Json) -> Iterator[str]:
    yield from (text.format(schema[name]) for name, text in _BOUNDS.items() if name in schema)
    for what, unit in _SIZES.items():
        least, most = schema.get(f"min{what}", 0), schema.get(f"max{what}")
        if most is not None:
            yield f"{least}-{most} {unit}"
        elif least:
            yield f"≥ {least} {unit}"
    if "default" in schema:
        yield f"default `{json.dumps(schema['default']).strip(chr(34))}`"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
