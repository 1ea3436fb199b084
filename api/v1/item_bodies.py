"""Convert items of V1, with their variations, into entries of V2.

V1's fields besides name and score become ``data``, together with the members of ``metadata``, which lose where names
are equal.  An entry has one member more than V2's: ``variations``, if they were sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw

from api.entries.chunks import CHUNK_BYTES
from api.entries.json_body import list_up_to, text_of
from api.entries.parsed_body import count_problem
from api.entries.repeated_members import REPEATED, repeated_members
from api.entries.rules import EntryRules
from api.errors import Invalid, Problem
from api.schemas.entries import Described
from api.schemas.fields import NOT_A_LIST, REQUIRED
from api.v1.schemas import ItemV1, ItemV1Change, ItemV1Delete, VariationV1
from shared.limits import DATA_MAX_BYTES
from shared.model import Kind, Operation

NAME = Kind.ITEMS.value
#: Variations of one item: what one commit writes.
MAX_VARIATIONS = 1000

ELSEWHERE = "differs from the section of the call"
NEEDS_ID = "requires an id: without one the item_name identifies the item"
_ITEM_TOO_LONG = f"ensure this value has at most {CHUNK_BYTES} bytes of JSON"
_DATA_TOO_LONG = f"ensure this value has at most {DATA_MAX_BYTES} bytes of JSON"

Members = dict[str, Raw]

_NULL = Raw(b"null")
_NO_ID = Raw(b'""')
_members = msgspec.json.Decoder(Members).decode
_encode = msgspec.json.Encoder().encode

_DESCRIBED = list(Described().fields)
_RULES = {
    Operation.CREATE: EntryRules(ItemV1(), Kind.ITEMS),
    Operation.MODIFY: EntryRules(ItemV1Change(), Kind.ITEMS),
    Operation.AMEND: EntryRules(ItemV1(), Kind.ITEMS),
    Operation.DELETE: EntryRules(ItemV1Delete(), Kind.ITEMS),
}
_VARIATION_RULES = EntryRules(VariationV1(), Kind.ITEMS)


@dataclass(frozen=True, slots=True)
class ItemEntries:
    """Entries converted from items."""

    ids: list[str] = field(default_factory=list)
    entries: list[bytes] = field(default_factory=list)
    #: How many entries of V2 each stands for: itself and its variations.
    weights: list[int] = field(default_factory=list)


def read_items(items: Sequence[Raw], operation: Operation, section: str) -> ItemEntries:
    """Read the items of a call for one section.  Raises Invalid with all that is wrong, item by item."""
    if too_long := [Problem(f"{NAME}[{i}]", _ITEM_TOO_LONG) for i, raw in enumerate(items) if len(raw) > CHUNK_BYTES]:
        raise Invalid(*too_long)
    if repeated := [
        Problem(f"{NAME}[{i}].{name}", REPEATED)
        for i, raw in enumerate(items)
        for name in repeated_members(raw, ("metadata",))
    ]:
        raise Invalid(*repeated)
    opened = [_ParsedItem.of(raw, operation) for raw in items]
    checked = _RULES[operation].check([one.bare for one in opened], NAME)
    whole, problems = ItemEntries(), list[Problem]()
    for index, one in enumerate(opened):
        loc = f"{NAME}[{index}]"
        wrong = one.relevant(checked.problems.get(index, []), loc)
        wrong = wrong or list(one.misplaced(loc, section, operation))
        variations = _read_variations(one.variations, checked.ids[index], f"{loc}.variations", wrong)
        entry = b"" if wrong else one.entry(checked.ids[index], variations, operation)
        if len(entry) > DATA_MAX_BYTES and (problem := _data_problem(entry, loc)):
            wrong.append(problem)
        problems += wrong
        whole.ids.append(checked.ids[index])
        whole.entries.append(entry)
        whole.weights.append(1 + len(variations or ()))
    if problems:
        raise Invalid(*problems)
    return whole


@dataclass(frozen=True, slots=True)
class _ParsedItem:
    """One item as it was sent, its variations apart."""

    #: None if it is no object.
    members: Members | None
    variations: Raw | None
    #: It has an id of its own; otherwise its item_name stands for it.
    has_id: bool
    #: What there is to check.
    bare: Raw

    @classmethod
    def of(cls, raw: Raw, operation: Operation) -> _ParsedItem:
        if not bytes(raw).startswith(b"{"):
            return cls(None, None, False, raw)
        members = _members(raw)
        variations = None if operation is Operation.DELETE else members.pop("variations", None)
        has_id = members.get("id", _NULL) != _NULL
        if not has_id:
            members["id"] = members.get("item_name", _NO_ID)
        return cls(members, None if variations == _NULL else variations, has_id, Raw(_encode(members)))

    def relevant(self, wrong: list[Problem], loc: str) -> list[Problem]:
        """Leave out what is wrong with an id that was not sent; say that it, or a name, is missing."""
        if self.members is None or self.has_id:
            return list(wrong)
        found = [problem for problem in wrong if problem.loc != f"{loc}.id"]
        missing = Problem(f"{loc}.item_name", REQUIRED)
        if "item_name" not in self.members and missing not in found:
            found.append(missing)
        return found

    def misplaced(self, loc: str, section: str, operation: Operation) -> Iterator[Problem]:
        """List conflicts of a valid item with its call or within itself."""
        members = self.members or {}
        for name in ("section", "autocomplete_section"):
            if name in members and text_of(members[name]) != section:
                yield Problem(f"{loc}.{name}", ELSEWHERE)
        if operation is Operation.MODIFY and "new_item_name" in members and not self.has_id:
            yield Problem(f"{loc}.new_item_name", NEEDS_ID)

    def entry(self, item_id: str, variations: list[Members] | None, operation: Operation) -> bytes:
        """Write the item as an entry."""
        members = self.members or {}
        if operation is Operation.DELETE:
            return _encode({"id": item_id})
        keeps_null = operation is Operation.AMEND
        entry = {"id": Raw(_encode(item_id)), **_described(members, keeps_null=keeps_null)}
        if operation is not Operation.AMEND:
            entry["name"] = members.get("new_item_name", members["item_name"])
        if variations is not None:
            entry["variations"] = Raw(_encode([{**one, "item_id": entry["id"]} for one in variations]))
        return _encode(entry)


def _described(members: Members, *, keeps_null: bool) -> Members:
    """Take over the score, and what V2 has in ``data``; null removes a field in a PATCH, and is absent elsewhere."""
    sent = {name: value for name, value in members.items() if keeps_null or value != _NULL}
    data = _members(members["metadata"]) if members.get("metadata", _NULL) != _NULL else {}
    data |= {name: sent[name] for name in _DESCRIBED if name in sent}
    described = {name: sent[name] for name in ("suggested_score",) if name in sent}
    return {**described, "data": Raw(_encode(data))} if data else described


def _read_variations(sent: Raw | None, item_id: str, loc: str, wrong: list[Problem]) -> list[Members] | None:
    """Read the variations of an item, but for the item they name; None if none were sent.  Adds what is wrong."""
    if sent is None:
        return None
    variations = list_up_to(bytes(sent), MAX_VARIATIONS) if bytes(sent).startswith(b"[") else ()
    if not variations:
        if not bytes(sent).startswith(b"["):
            wrong.append(Problem(loc, NOT_A_LIST))
        elif variations is None:
            wrong.append(Problem(loc, str(count_problem(MAX_VARIATIONS + 1, MAX_VARIATIONS))))
        return []
    checked = _VARIATION_RULES.check(variations, loc)
    if checked.problems:
        wrong += [problem for found in checked.problems.values() for problem in found]
        return []
    read = []
    for raw, variation_id in zip(variations, checked.ids, strict=True):
        members = _members(raw)
        variation = {"id": Raw(_encode(variation_id)), **_described(members, keeps_null=False)}
        if members.get("item_name", _NULL) != _NULL:
            variation["name"] = members["item_name"]
        read.append(variation)
    return read


def _data_problem(entry: bytes, loc: str) -> Problem | None:
    """Return a problem if a ``data``, combined from several members, is too long."""
    members = _members(entry)
    parts = [members, *msgspec.json.decode(members.get("variations", b"[]"), type=list[Members])]
    too_long = any(len(part["data"]) > DATA_MAX_BYTES for part in parts if "data" in part)
    return Problem(loc, _DATA_TOO_LONG) if too_long else None
