"""A quick decoder for each entry schema, derived from it.

Sound, not complete: an entry that it takes is one that marshmallow takes too, with the same id.  What it does not take
is not refused yet; marshmallow decides, and writes the messages.  That is 40 times slower, and rare.

Why it is sound.  msgspec's types are built field by field from the schema, and each field kind has one translation,
below; a kind, validator or option without one is an error at import.  What a type does not name, msgspec skips.
Skipping checks the grammar in full (escapes, pairs of surrogates, control characters), but not UTF-8, which is checked
before anything comes here, and not whether a double can hold a number, which is no business of ours: an unknown field
is stored as sent.  Two rules are no part of a type, and are looked at beside it: edit keys (``key:add``), since a type
cannot speak of names it does not know, and the length of an open object's text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Annotated, Any

import msgspec
from marshmallow import INCLUDE, RAISE, Schema, missing, validate
from marshmallow import fields as ma
from msgspec import Meta, Raw
from stringzilla import contains

from api.entries.alike import AlikeReader, Map
from api.entries.edits import clashes
from api.entries.repeated_members import RepeatedMembers
from api.schemas import fields

#: An edit key ends in one of these, unless a letter of it is written as an escape.
_EDIT_ENDS = [suffix.encode() + b'"' for suffix in fields.EDIT_SUFFIXES]
#: An escape that stands for one of the characters of an edit suffix.
_EDIT_ESCAPE = re.compile(
    rb"\\u00(?i:%s)" % b"|".join(b"%02x" % ord(letter) for letter in sorted(set("".join(fields.EDIT_SUFFIXES))))
)


#: Entries that are read one by one: to learn first what they have in common pays from some fifty on.
FEW = 32


@dataclass(slots=True)
class Read:
    """Many entries as the fast path saw them."""

    ids: list[str]
    #: The ``item_id`` of each, None where it was not sent.  None where the schema has no such field.
    parents: list[str | None] | None
    #: Indexes of the entries that were not taken; their id and parent stand for nothing, or for what ``accept`` takes.
    doubtful: set[int]


class FastPath:
    """The quick decoder of one schema, whose entries have an ``id``."""

    def __init__(self, schema: Schema) -> None:
        self._decode = _decoder(_struct(schema))
        # Looking into each name costs a fourth of the whole decoding; `read` does that for all entries at once.
        self._decode_loosely = _decoder(_struct(schema, loose=True))
        self._alike = _alike_reader(schema)
        self.repeated = RepeatedMembers(schema)
        self._name_rules = _content_rules(schema.fields["name"]) if "name" in schema.fields else []
        self._has_parents = "item_id" in schema.fields
        self._open = [(key, field) for key, field in by_key(schema).items() if isinstance(field, fields.OpenObject)]
        #: Bytes of the longest entry whose open objects cannot be too long.
        self._longest: float = min((field.max_bytes for _, field in self._open), default=float("inf"))
        members: list[Any] = [(f"m{i}", Raw, Raw()) for i in range(len(self._open))]
        names = {f"m{i}": key for i, (key, _) in enumerate(self._open)}
        self._values = _decoder(msgspec.defstruct("Values", members, rename=names))

    def accept(self, raw: Raw) -> bool:
        """Return whether this path accepts an entry; if so, marshmallow does too."""
        if len(raw) > self._longest:
            return False
        try:
            self._decode(raw)
        except msgspec.ValidationError:
            return False
        return not (self._may_have_edits(raw) and self._has_bad_edits(raw)) and not self.repeated.of(raw)

    def read(self, entries: Sequence[Raw]) -> Read:
        """Read many entries at once.  Those that are not doubtful are all ones that ``accept`` takes."""
        columns = self._alike.read(entries) if len(entries) > FEW else None
        if columns:
            # None of them edits a list, or has a member twice.
            names = columns.get("name", [])
            read = Read(columns["id"], columns.get("item_id"), set())
        else:
            read, names = self._read_loosely(entries)
            read.doubtful.update(self.repeated.among(entries))
            if self._may_have_edits(b"\0".join(entries)):
                read.doubtful.update(i for i, raw in enumerate(entries) if self._may_have_edits(raw))
        lengths = list(map(len, entries))
        if max(lengths) > self._longest:
            read.doubtful.update(i for i, length in enumerate(lengths) if length > self._longest)
        # The first character of a name nearly always satisfies its rules, and there are few first characters.
        poor = {head for head in {name[:1] for name in names if name} if not _holds_in(self._name_rules, head)}
        if poor:
            read.doubtful.update(i for i, name in enumerate(names) if name and name[:1] in poor)
        return read

    def _read_loosely(self, entries: Sequence[Raw]) -> tuple[Read, list[str | None]]:
        """Read all that the loose decoder takes, and the names that are still to be looked into."""
        ids: list[str] = []
        parents: list[str | None] = []
        names: list[str | None] = []
        doubtful: set[int] = set()
        with_parents, with_names = self._has_parents, bool(self._name_rules)
        rest = iter(entries)
        while len(ids) < len(entries):
            try:
                # A refusal ends the inner loop with its entry taken from `rest`: the outer one goes on behind it.
                for entry in map(self._decode_loosely, rest):
                    ids.append(entry.id)
                    if with_parents:
                        parents.append(entry.item_id)
                    if with_names:
                        names.append(entry.name)
            except (msgspec.ValidationError, RecursionError):
                doubtful.add(len(ids))
                ids.append("")
                parents.append(None)
                names.append(None)
        return Read(ids, parents if with_parents else None, doubtful), names

    def open_values(self, raw: Raw) -> list[tuple[str, fields.OpenObject, Raw]]:
        """Cut the open objects out of an entry that is a JSON object, without reading anything else."""
        values = msgspec.structs.astuple(self._values(raw))
        return [(key, field, value) for (key, field), value in zip(self._open, values, strict=True) if len(value)]

    def _may_have_edits(self, text: bytes | Raw) -> bool:
        """Return whether the bytes of entries may contain an edit key."""
        if not self._open:
            return False
        text = bytes(text)
        # The backslash first: looking for one byte costs a hundredth of looking for the escape.
        return any(contains(text, end) for end in _EDIT_ENDS) or bool(b"\\" in text and _EDIT_ESCAPE.search(text))

    def _has_bad_edits(self, raw: Raw) -> bool:
        values = self.open_values(raw)
        return any(clashes(value) for _, _, value in values) or any(
            field.edit_problem(key, [] if bytes(each).startswith(b"[") else None)
            for _, field, value in values
            for key, each in (_members(value) or {}).items()
        )


def _decoder(type_: Any) -> Callable[[Raw], Any]:
    return msgspec.json.Decoder(type_).decode


_members = _decoder(dict[str, Raw] | None)


def by_key(schema: Schema) -> dict[str, ma.Field[Any]]:
    """Name a schema's fields as they are sent."""
    return {field.data_key or name: field for name, field in schema.fields.items()}


def _content_rules(field: ma.Field[Any]) -> list[fields.ContainsOneOf]:
    return [validator for validator in field.validators if isinstance(validator, fields.ContainsOneOf)]


def _holds_in(rules: list[fields.ContainsOneOf], text: str) -> bool:
    return all(rule.holds_in(text) for rule in rules)


# --- from fields to types --------------------------------------------------------------------------------------------


def _struct(schema: Schema, *, loose: bool = False) -> type[msgspec.Struct]:
    """Translate an entry schema.  A loose type does not look into the ``name``."""
    types = {
        name: _open_object(field) if type(field) is fields.OpenObject else _type(field)
        for name, field in schema.fields.items()
    }
    if loose and "name" in types:
        types["name"] = _loose_name(schema)
    return _struct_of(schema, types)


def _loose_name(schema: Schema) -> Any:
    field = schema.fields["name"]
    translated = _constrained(str, field, without=fields.ContainsOneOf)
    return translated | None if field.allow_none else translated


def _alike_reader(schema: Schema) -> AlikeReader:
    """Translate an entry schema for entries that are much alike; the ``name`` is not looked into."""
    top = {key: _type(field) for key, field in by_key(schema).items() if type(field) is not fields.OpenObject}
    if "name" in top:
        top["name"] = _loose_name(schema)
    opened = {
        key: by_key(field.schema) for key, field in by_key(schema).items() if isinstance(field, fields.OpenObject)
    }
    inside = {key: {name: _type(inner) for name, inner in known.items()} for key, known in opened.items()}
    maps = {
        (key, name): Map(_type(inner.names), _type(inner.values))
        for key, known in opened.items()
        for name, inner in known.items()
        if isinstance(inner, fields.MapOf)
    }
    wanted = ["id", *(name for name in ("item_id", "name") if name in top)]
    required = [key for key, field in by_key(schema).items() if field.required]
    return AlikeReader(top, inside, maps, required=required, wanted=wanted)


def _struct_of(schema: Schema, types: dict[str, Any]) -> type[msgspec.Struct]:
    """Create a type that rejects, or skips, members that the schema does not name."""
    if schema.unknown not in (RAISE, INCLUDE):
        raise TypeError(f"{schema!r}: no fast path for unknown={schema.unknown!r}")
    if any(schema._hooks.values()):  # marshmallow keeps them nowhere else
        raise TypeError(f"{schema!r}: no fast path for a schema with hooks")
    return msgspec.defstruct(
        type(schema).__name__,
        [(name, types[name]) if field.required else (name, types[name], None) for name, field in schema.fields.items()],
        rename={name: field.data_key or name for name, field in schema.fields.items()},
        forbid_unknown_fields=schema.unknown == RAISE,
        kw_only=True,
        gc=False,  # entries live for a microsecond and hold no cycles
    )


def _open_object(field: fields.OpenObject) -> Any:
    """Translate the one kind of field that only an entry may have: deeper, edit keys would not be looked for."""
    _refuse_options(field, field.validators, field.many, field.only, field.exclude, field.unknown)
    schema = field.schema
    translated = _struct_of(schema, {name: _type(inner) for name, inner in schema.fields.items()})
    return translated | None if field.allow_none else translated


def _type(field: ma.Field[Any]) -> Any:
    translate = _TRANSLATIONS.get(type(field))
    if translate is None:
        raise TypeError(f"{field!r}: no fast path for a field of this kind here")
    _refuse_options(field, field.validators and type(field) not in _VALIDATED)
    translated = translate(field)
    return translated | None if field.allow_none else translated


def _refuse_options(field: ma.Field[Any], *options: Any) -> None:
    """Raise TypeError if a field has an option that its translation would not carry over."""
    common = (field.load_default is not missing, field.dump_only, field.attribute, field.pre_load, field.post_load)
    if any((*common, *options)):
        raise TypeError(f"{field!r}: no fast path for one of its options")


def _constrained(plain: type, field: ma.Field[Any], *, without: type | None = None, **constraints: Any) -> Any:
    """Translate the validators of a text or a number."""
    for validator in field.validators:
        if type(validator) is without:
            continue
        bounds: dict[str, Any]
        if type(validator) is validate.Length and validator.equal is None and plain is str:
            bounds = {"min_length": validator.min, "max_length": validator.max}
        elif type(validator) is validate.Range and validator.min_inclusive and validator.max_inclusive:
            bounds = {"ge": validator.min, "le": validator.max}
        elif type(validator) is fields.ContainsOneOf and plain is str:
            bounds = {"pattern": validator.characters}
        else:
            raise TypeError(f"{field!r}: no fast path for {validator!r}")
        for name, bound in bounds.items():
            if bound is not None and constraints.setdefault(name, bound) != bound:
                raise TypeError(f"{field!r}: {name} is given twice")
    return Annotated[plain, Meta(**constraints)] if constraints else plain


def _whole_number(field: fields.WholeNumber) -> Any:
    # A float is whole if it is a multiple of 1.
    return _constrained(int, field) | _constrained(float, field, multiple_of=1)


def _text_or_number(field: fields.TextOrNumber) -> Any:
    _refuse_options(field, field.text.allow_none)
    return reduce(or_, (_type(field.text), int, float))


def _one_or_many(field: fields.OneOrMany) -> Any:
    _refuse_options(field, field.inner.allow_none)
    inner = _type(field.inner)
    return list[inner] | inner  # type: ignore[valid-type]


_VALIDATED = (fields.Text, fields.WholeNumber)
_TRANSLATIONS: dict[type, Callable[[Any], Any]] = {
    fields.Text: lambda field: _constrained(str, field),
    fields.WholeNumber: _whole_number,
    fields.Flag: lambda _: bool,
    fields.Moment: lambda _: datetime,
    fields.Unread: lambda _: Raw,
    fields.TextOrNumber: _text_or_number,
    fields.ListOf: lambda field: list[_type(field.inner)],  # type: ignore[misc]
    fields.OneOrMany: _one_or_many,
    fields.MapOf: lambda field: dict[_type(field.names), _type(field.values)],  # type: ignore[misc]
}
