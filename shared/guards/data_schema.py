"""A JSON Schema (draft 2020-12) for the ``data`` of entries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jsonschema_rs
import msgspec

from shared.codec import encode_json
from shared.guards.schema_size import BadSchema, check_size

#: Most characters of what is wrong with one entry.
PROBLEM_LENGTH = 200


#: Most bytes that a compiled pattern may take.
PATTERN_BYTES = 100_000


class _EntryWithData(msgspec.Struct):
    data: Any = msgspec.field(default_factory=dict)


_decode = msgspec.json.Decoder(_EntryWithData).decode


class DataSchema:
    """A compiled schema."""

    def __init__(self, validator: jsonschema_rs.Draft202012Validator) -> None:
        self._validator = validator

    @staticmethod
    def of(schema: dict[str, Any] | bool) -> DataSchema:
        """Compile a schema, or return it as compiled before.  Raises BadSchema."""
        return _compiled(encode_json(schema))

    def problems(self, entries: Sequence[bytes]) -> dict[int, str]:
        """Say by index what is wrong with the data of entries."""
        found = {}
        for i, entry in enumerate(entries):
            try:
                data = _decode(entry).data
            except msgspec.ValidationError as error:
                found[i] = str(error)[:PROBLEM_LENGTH]
                continue
            try:
                self._validator.validate(data)
            except jsonschema_rs.ValidationError as error:
                found[i] = _said(error)
        return found


@lru_cache(maxsize=64)
def _compiled(schema: bytes) -> DataSchema:
    """Nothing is fetched, and patterns take a time that grows with the text only: a schema comes from outside."""
    check_size(msgspec.json.decode(schema))
    try:
        validator = jsonschema_rs.Draft202012Validator(
            schema.decode(),
            offline=True,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=PATTERN_BYTES, dfa_size_limit=PATTERN_BYTES),
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise BadSchema(str(getattr(error, "message", error)).partition("\n")[0][:PROBLEM_LENGTH]) from None
    return DataSchema(validator)


def _said(error: jsonschema_rs.ValidationError) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
    return f"data{place}: {error.message}"[:PROBLEM_LENGTH]
