"""Convert nested item groups of V1 into entries of V2.

A nested group's parent is the group around it; a top group's is its ``parent_id``.  Without one an existing group keeps
its parents in a PATCH, and has none otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from api.entries.chunks import CHUNK_BYTES, build_body, cut_into_chunks
from api.entries.depth import TOO_DEEP, is_too_deep
from api.entries.json_body import decode, list_up_to, read_json, text_of
from api.entries.parsed_body import count_problem
from api.entries.repeated_members import REPEATED, repeated_members
from api.entries.rules import EntryRules
from api.errors import Invalid, Problem, TooLarge
from api.schemas.fields import NOT_A_DICT, NOT_A_LIST
from api.v1.schemas import GroupV1, GroupV1Change
from shared.model import Chunk, Kind

NAME = Kind.ITEM_GROUPS.value
#: Most groups of one call, nested ones included.  Both clients document this limit; so a call is one chunk.
MAX_GROUPS = 1000

#: Most bytes of a body: those of one chunk, and as many blanks.
MAX_BODY_BYTES = 2 * CHUNK_BYTES

BELOW_ITSELF = "a group cannot lie below itself"

_NULL = b"null"
_members = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode

_RULES = EntryRules(GroupV1(), Kind.ITEM_GROUPS)
_CHANGE_RULES = EntryRules(GroupV1Change(), Kind.ITEM_GROUPS)


def read_nested(body: bytes) -> Chunk:
    """Read a body of nested groups, parents first.  Raises Invalid with all that is wrong, or TooLarge."""
    _refuse_too_large(body)
    groups = read_json(body, NAME, MAX_GROUPS).entries
    problems = [Problem(f"{NAME}[{i}]", TOO_DEEP) for i, raw in enumerate(groups) if is_too_deep(raw)]
    flat = _Flat()
    if not problems:
        flat.add(groups, NAME, ())
        problems = flat.problems
    if problems:
        raise Invalid(*problems)
    return make_chunk(flat.entries, flat.ids)


def read_change(body: bytes, group_id: str) -> tuple[Chunk, bool]:
    """Read what changes in one group, and whether it has a name, as a new group must.  Raises Invalid or TooLarge."""
    _refuse_too_large(body)
    try:
        members: dict[str, Raw] = decode(_members, body)
    except msgspec.ValidationError:
        raise Invalid(Problem("body", NOT_A_DICT)) from None
    problems = [Problem(name, REPEATED) for name in repeated_members(body.strip(), ("data",))]
    sent_id = members.pop("id", None)
    if sent_id is not None and text_of(sent_id) != group_id:
        problems.append(Problem("id", "differs from the id in the path"))
    members = {"id": Raw(_encode(group_id)), **members}
    checked = _CHANGE_RULES.check([Raw(_encode(members))], "")
    for loc, msg in checked.problems.get(0, ()):
        problems.append(Problem(loc.removeprefix("[0]").removeprefix("."), msg))
    if not problems and _is_own_parent(members, group_id):
        problems.append(Problem("parent_id", BELOW_ITSELF))
    if problems:
        raise Invalid(*problems)
    return make_chunk([_entry(members, ())], [group_id]), "name" in members


def make_chunk(entries: Sequence[bytes], ids: list[str]) -> Chunk:
    """Put entries into the one chunk of a batch.  Raises TooLarge."""
    text, bounds = build_body(NAME, entries)
    if len(text) > CHUNK_BYTES:
        raise TooLarge(f"The groups of one call may have at most {CHUNK_BYTES} bytes of JSON.")
    [chunk] = cut_into_chunks(text, bounds, ids, None)
    return chunk


def _refuse_too_large(body: bytes) -> None:
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"This request takes a body of at most {MAX_BODY_BYTES} bytes.")


def _too_many() -> Invalid:
    return Invalid(Problem(NAME, str(count_problem(MAX_GROUPS + 1, MAX_GROUPS))))


class _Flat:
    """Groups of all levels in one list, and what is wrong with them."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.ids: list[str] = []
        self.problems: list[Problem] = []
        self._count = 0

    def add(self, siblings: Sequence[Raw], loc: str, above: tuple[str, ...]) -> None:
        """Take in groups and all below them; ``above`` are the groups they lie in, outermost first."""
        self._count += len(siblings)
        if self._count > MAX_GROUPS:
            raise _too_many()
        self.problems += [
            Problem(f"{loc}[{index}].{name}", REPEATED)
            for index, raw in enumerate(siblings)
            for name in repeated_members(raw, ("data",))
        ]
        opened = [_members.decode(raw) if bytes(raw).startswith(b"{") else None for raw in siblings]
        children = [None if members is None else members.pop("children", None) for members in opened]
        bare = [
            raw if members is None else Raw(_encode(members)) for raw, members in zip(siblings, opened, strict=True)
        ]
        checked = _RULES.check(bare, loc)
        for index, (group_id, members, below) in enumerate(zip(checked.ids, opened, children, strict=True)):
            here, wrong = f"{loc}[{index}]", checked.problems.get(index, [])
            self.problems += wrong
            if members is not None and not wrong:
                self._take(members, group_id, here, above)
            self._add_children(below, f"{here}.children", (*above, group_id))

    def _take(self, members: dict[str, Raw], group_id: str, loc: str, above: tuple[str, ...]) -> None:
        if group_id in above:
            self.problems.append(Problem(f"{loc}.id", BELOW_ITSELF))
        elif not above and _is_own_parent(members, group_id):
            self.problems.append(Problem(f"{loc}.parent_id", BELOW_ITSELF))
        else:
            self.ids.append(group_id)
            self.entries.append(_entry(members, above))

    def _add_children(self, sent: Raw | None, loc: str, above: tuple[str, ...]) -> None:
        if sent is None or bytes(sent) == _NULL:
            return
        if not bytes(sent).startswith(b"["):
            self.problems.append(Problem(loc, NOT_A_LIST))
            return
        siblings = list_up_to(bytes(sent), MAX_GROUPS)
        if siblings is None:
            raise _too_many()
        if siblings:
            self.add(siblings, loc, above)


def _is_own_parent(members: dict[str, Raw], group_id: str) -> bool:
    return "parent_id" in members and text_of(members["parent_id"]) == group_id


def _entry(members: dict[str, Raw], above: tuple[str, ...]) -> bytes:
    """Write a group, its parent taken from where it lies, or else from what it says, as V2 has it."""
    entry = dict(members)
    parent_id = entry.pop("parent_id", None)
    if above:
        entry["parent_ids"] = Raw(_encode([above[-1]]))
    elif parent_id is not None:
        entry["parent_ids"] = parent_id if bytes(parent_id) == _NULL else Raw(b"[%s]" % bytes(parent_id))
    return _encode(entry)
