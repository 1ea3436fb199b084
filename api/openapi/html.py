"""Render pieces of the OpenAPI document as HTML."""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup, escape

_CODE = re.compile("`([^`]+)`")

#: Bounds as people write them.
_BOUNDS = {"minimum": "≥ {}", "maximum": "≤ {}"}
_SIZES = {"Length": "characters", "Items": "entries"}


def prose(text: str) -> Markup:
    """Write plain sentences; what stands in backticks is code, a blank line begins a paragraph."""
    escaped = [str(escape(" ".join(paragraph.split()))) for paragraph in text.split("\n\n")]
    marked = [_CODE.sub(r"<code>\1</code>", paragraph) for paragraph in escaped]
    return Markup("".join(f"<p>{paragraph}</p>" for paragraph in marked))


def shape(schema: dict[str, Any]) -> Markup:
    """Render the type of a schema, with links to named schemas."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    if "enum" in schema:
        return Markup(" | ").join(Markup("<code>{}</code>").format(value) for value in schema["enum"])
    if "anyOf" in schema:
        return Markup(" or ").join(shape(part) for part in schema["anyOf"])
    types = schema.get("type", "anything")
    names = [_one(name, schema) for name in ([types] if isinstance(types, str) else types)]
    return Markup(" or ").join(names)


def _one(name: str, schema: dict[str, Any]) -> Markup:
    if name == "array" and "items" in schema:
        return Markup("list of ") + shape(schema["items"])
    if name == "object" and isinstance(schema.get("additionalProperties"), dict):
        return Markup("object of ") + shape(schema["additionalProperties"])
    return escape(schema.get("format", name) if name == "string" else name)


def limits(schema: dict[str, Any]) -> str:
    """List the limits of a schema, and its default."""
    found = [text.format(schema[name]) for name, text in _BOUNDS.items() if name in schema]
    for what, unit in _SIZES.items():
        least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
        if most is not None:
            found.append(f"{least or 0}-{most} {unit}")
        elif least:
            found.append(f"≥ {least} {unit}")
    if schema.get("pattern"):
        found.append(f"matches {schema['pattern']}")
    if "default" in schema:
        default = schema["default"]
        found.append(f"default {str(default).lower() if isinstance(default, bool) else default}")
    return ", ".join(found)
