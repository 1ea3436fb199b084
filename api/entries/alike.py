"""Read entries that have much the same members, and be sure that none of them has one twice.

What members entries have is learned from them.  A decoder for just these proves that each entry has all that it must
have, and no others; those that some lack are counted.  If the text has each name as often as the entries have it, then
it has it once in each: to count a name in a text costs a thirtieth of what it does to decode it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache, reduce
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType
from stringzilla import contains, count

from api.schemas.fields import EDIT_SUFFIXES

#: Decoders that are remembered, some ten kilobytes each, and members that one may know.
SHAPES = 64
MEMBERS = 40
#: Entries of a batch, one here and there, that are looked at first.
SAMPLE = 16
#: How often in one batch a new member, or the lack of one, may be learned.
SURPRISES = 8
#: Most names that are learned of a map; one with more is read as any map is.
MAP_NAMES = 24

#: An escape that stands for a visible character of ASCII.
_ASCII_ESCAPE = re.compile(rb"\\u00[2-7]")
_members = msgspec.json.Decoder(dict[str, Raw]).decode

#: A place and a name: those at the top have no place, the others that of the object that they lie in.
Member = tuple[str, str]


class Map(NamedTuple):
    """The types of a map: of its names and of its values."""

    names: Any
    values: Any


class Shape(NamedTuple):
    """The members of entries: those that all have, and those that some have."""

    all: frozenset[Member]
    some: frozenset[Member] = frozenset()
    #: The names in members that are maps; None where they vary too much to be learned.
    maps: frozenset[tuple[Member, frozenset[str] | None]] = frozenset()

    @classmethod
    def of(cls, raw: Raw, objects: Collection[str], maps: Collection[Member] = ()) -> Shape:
        """Name the members of an entry.  Raises msgspec.ValidationError if it or one of its ``objects`` is none."""
        top = _members(raw)
        inside = {(key, name): value for key in objects if key in top for name, value in _members(top[key]).items()}
        names = frozenset((member, _names(inside[member])) for member in maps if member in inside)
        return cls(frozenset([*(("", name) for name in top), *inside]), maps=names)

    def joined(self, other: Shape) -> Shape:
        """Make the shape of the entries of both."""
        both = self.all & other.all
        mine, others = dict(self.maps), dict(other.maps)
        maps = {**mine, **others, **{member: _both(mine[member], others[member]) for member in mine & others.keys()}}
        return Shape(both, (self.all | self.some | other.all | other.some) - both, frozenset(maps.items()))

    def surprised_by(self, other: Shape) -> Shape:
        """Make the shape of the entries of both; of maps that have new names, no names are learned any more."""
        joined, known = self.joined(other), dict(self.maps)
        maps = [(member, names if known.get(member, names) == names else None) for member, names in joined.maps]
        return joined._replace(maps=frozenset(maps))


def _names(value: Raw) -> frozenset[str] | None:
    return _few(frozenset(_members(value))) if bytes(value).startswith(b"{") else None


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    return None if one is None or other is None else _few(one | other)


def _few(names: frozenset[str]) -> frozenset[str] | None:
    return names if len(names) <= MAP_NAMES else None


class _Decoder(NamedTuple):
    decode: Callable[[Raw], Any]
    #: Takes from a decoded entry what is wanted, then what is to be counted.
    take: Callable[[Any], Sequence[Any]]
    #: What of the wanted is not there.
    lacking: frozenset[str]


class AlikeReader:
    """Reads entries of one schema."""

    def __init__(
        self,
        top: Mapping[str, Any],
        inside: Mapping[str, Mapping[str, Any]],
        maps: Mapping[Member, Map],
        *,
        required: Iterable[str],
        wanted: Sequence[str],
    ) -> None:
        """Take the types of members at the top and of those known inside objects, and which of these are maps.

        Of those at the top some are ``required``, and some ``wanted``, the first of these from each entry.
        """
        self._required = {("", name) for name in (*required, wanted[0])}
        self._top = top
        self._inside = inside
        self._maps = maps
        self._wanted = list(wanted)
        self._decoder = lru_cache(SHAPES)(self._make_decoder)
        #: Shape of the first entry of a batch: that of the last such batch.
        self._met: dict[Shape, Shape] = {}

    def read(self, entries: Sequence[Raw]) -> dict[str, list[Any]] | None:
        """Return the wanted members of all entries by name, None where one is absent; None if that is not for here.

        It is not if an entry breaks a rule, has a member twice or edits a list, or if they differ too much.
        """
        try:
            first = Shape.of(entries[0], self._inside, self._maps)
            known = self._met.pop(first, None)
            read = self._read_as(known, entries) if known else None
            columns, shape = read or self._read_as(self._sampled(entries), entries) or (None, None)
        except (msgspec.ValidationError, RecursionError):
            return None
        if shape is not None:
            if len(self._met) >= SHAPES:
                self._met.clear()
            self._met[first] = shape
        return columns

    def _read_as(self, shape: Shape, entries: Sequence[Raw]) -> tuple[dict[str, list[Any]], Shape] | None:
        """Read entries that are likely of a shape; returns that of all of them, too."""
        try:
            columns, seen, maps = self._columns(shape, entries)
        except (msgspec.ValidationError, RecursionError):
            return None
        times: dict[str, int] = {}
        for (_, name), entries_with in seen.items():
            times[name] = times.get(name, 0) + entries_with
        if not _named_so_often(b",".join(entries), times):
            return None
        all_ = frozenset(member for member, entries_with in seen.items() if entries_with == len(entries))
        some = frozenset(member for member, entries_with in seen.items() if 0 < entries_with < len(entries))
        return columns, Shape(all_, some, maps)

    def _columns(
        self, shape: Shape, entries: Sequence[Raw]
    ) -> tuple[dict[str, list[Any]], dict[Member, int], frozenset[tuple[Member, frozenset[str] | None]]]:
        """Decode all; returns the wanted members, how many entries have each, and the names in maps.

        Raises msgspec.ValidationError.
        """
        columns: dict[str, list[Any]] = {name: [] for name in self._wanted}
        seen: dict[Member, int] = {}
        done = 0
        for _ in range(SURPRISES):
            decoder, rows = self._decoder(shape), list[Sequence[Any]]()
            wrong = None
            try:
                # Nothing else of an entry is kept: to hold all of them costs half as much again.  Those before one that
                # is refused stay.
                rows.extend(map(decoder.take, map(decoder.decode, entries[done:] if done else entries)))
            except msgspec.ValidationError as error:
                wrong = error
            done += len(rows)
            self._note(shape, decoder, rows, columns, seen)
            if wrong is None:
                return columns, seen, shape.maps
            learned = shape.surprised_by(self._sampled(entries[done:]))
            if learned == shape or len(learned.all) + len(learned.some) > MEMBERS:
                raise wrong
            shape = learned
        raise msgspec.ValidationError("they differ too much")

    def _sampled(self, entries: Sequence[Raw]) -> Shape:
        """Learn from the first entry and some others."""
        sample = entries[:: len(entries) // SAMPLE + 1]
        return reduce(Shape.joined, (Shape.of(raw, self._inside, self._maps) for raw in sample))

    def _note(
        self,
        shape: Shape,
        decoder: _Decoder,
        rows: list[Sequence[Any]],
        columns: dict[str, list[Any]],
        seen: dict[Member, int],
    ) -> None:
        for i, name in enumerate(self._wanted):
            if name in decoder.lacking:
                columns[name] += [None] * len(rows)
            elif ("", name) in shape.some:
                columns[name] += [None if row[i] is UNSET else row[i] for row in rows]
            else:
                columns[name] += map(itemgetter(i), rows)
        for member in shape.all:
            seen[member] = seen.get(member, 0) + len(rows)
        for i, member in enumerate(sorted(shape.some), len(self._wanted)):
            absent = list(map(itemgetter(i), rows)).count(UNSET)
            seen[member] = seen.get(member, 0) + len(rows) - absent

    def _make_decoder(self, shape: Shape) -> _Decoder:
        """Make a decoder for the entries of a shape.  Raises msgspec.ValidationError if there is none for them."""
        paths: dict[Member, str] = {}
        members: list[Any] = []
        names = {member: f"f{i}" for i, member in enumerate(sorted(shape.all | shape.some))}
        for (place, name), attribute in names.items():
            if place:
                continue
            type_ = self._top.get(name)
            if name in self._inside:
                own = {member: names[member] for member in names if member[0] == name}
                type_ = _struct(own, {one: self._type_inside(name, one, shape) for _, one in own}, shape)
                paths |= {member: f"{attribute}.{own[member]}" for member in own}
            if type_ is None or (name in self._inside and ("", name) in shape.some):
                raise msgspec.ValidationError("not a member that all entries may have")
            paths["", name] = attribute
            members.append(((place, name), attribute, type_))
        row = _struct({m: a for m, a, _ in members}, {name: type_ for (_, name), _, type_ in members}, shape)
        if not shape.all >= self._required:
            raise msgspec.ValidationError("a member is missing")
        id_path = paths["", self._wanted[0]]
        wanted = [paths.get(("", name), id_path) for name in self._wanted]
        lacking = frozenset(name for name in self._wanted if ("", name) not in paths)
        # Of one attribute alone, it would return no tuple.
        take = attrgetter(*wanted, *(paths[member] for member in sorted(shape.some)), id_path)
        return _Decoder(msgspec.json.Decoder(row).decode, take, lacking)

    def _type_inside(self, key: str, name: str, shape: Shape) -> Any:
        """Choose the type of a member of an object: a map whose names are known is read in three quarters of the time.

        Raises msgspec.ValidationError if one of the names is none for the map.
        """
        names = dict(shape.maps).get((key, name))
        if names is None:
            return self._inside[key].get(name, Raw)
        name_type, value_type = self._maps[key, name]
        convert_names: Any = list[name_type]  # type: ignore[valid-type]
        members = {("", one): f"f{i}" for i, one in enumerate(msgspec.convert(sorted(names), convert_names))}
        return _struct(members, dict.fromkeys(names, value_type), Shape(frozenset()))


def _struct(attributes: Mapping[Member, str], types: Mapping[str, Any], shape: Shape) -> Any:
    fields: list[Any] = [
        (attribute, types[member[1]]) if member in shape.all else (attribute, types[member[1]] | UnsetType, UNSET)
        for member, attribute in attributes.items()
    ]
    rename = {attribute: name for (_, name), attribute in attributes.items()}
    try:
        return msgspec.defstruct("Alike", fields, rename=rename, forbid_unknown_fields=True, kw_only=True, gc=False)
    except ValueError:
        raise msgspec.ValidationError("a name that cannot be written as it is") from None


def _named_so_often(text: bytes, times: Mapping[str, int]) -> bool:
    """Tell whether each name is in a text so often, and none may be written with escapes."""
    if any(name.endswith(EDIT_SUFFIXES) for name in times):
        return False
    if contains(text, b"\\u") and (_ASCII_ESCAPE.search(text) or not all(map(str.isascii, times))):
        return False
    return all(count(text, b'"%b"' % name.encode()) == often for name, often in times.items())
