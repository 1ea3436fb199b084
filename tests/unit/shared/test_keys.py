"""The names of Redis keys."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared import keys
from shared.keys import CatalogKeys, link, link_prefix, padded, split_link
from shared.model import Kind, Status
from tests.support import generated
from tests.support.key_checker import declarations

_CATALOG_KEYS = st.from_regex(r"[A-Za-z0-9_.\-]{1,100}", fullmatch=True)
_ATTRIBUTES = [name for name in CatalogKeys.__slots__ if name not in ("partition", "prefix")]
#: Item groups lie in no section.
_SECTIONED = st.sampled_from([kind for kind in Kind if kind is not Kind.ITEM_GROUPS])
#: Every way to spell a key of a catalog, and with what.
_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "task": (st.integers(1, 2**31 - 1),),
    "payload": (st.integers(1, 2**31 - 1),),
    "also_changed": (st.integers(1, 2**31 - 1),),
    "pieces": (st.integers(1, 2**31 - 1),),
    "report": (st.integers(1, 2**31 - 1),),
    "upload": (st.from_regex(r"[0-9a-f]{16}", fullmatch=True),),
    "nonce": (st.from_regex(r"[0-9a-f]{16}", fullmatch=True),),
    "idempotency": (st.from_regex(r"[0-9a-f]{64}", fullmatch=True),),
    "target": (st.from_regex(r"mail|wh_[0-9a-f]{12}", fullmatch=True),),
    "sink_lease": (st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True),),
    "sink_rung": (st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True),),
    "sink_state": (st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True),),
    "dead_letters": (st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True),),
    "other_dead_letters": (
        st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True),
        st.from_regex(r"[0-9a-f]{16}-[0-9a-f]{16}-[0-9]{1,3}", fullmatch=True),
    ),
    "by_status": (st.sampled_from(Status),),
    "entries": (_SECTIONED, generated.TEXTS, st.integers(0, 2**31 - 1)),
    "index": (_SECTIONED, generated.TEXTS, st.integers(0, 2**31 - 1)),
    "patches": (_SECTIONED, generated.TEXTS, st.integers(0, 2**31 - 1)),
    "minutes": (st.integers(1, 10**6),),
    "links": (generated.TEXTS, st.integers(0, 2**31 - 1)),
}


@st.composite
def _spellings(draw: st.DrawFn) -> tuple[str, tuple[Any, ...]]:
    """A name of CatalogKeys and what it is called with."""
    name = draw(st.sampled_from([*_ATTRIBUTES, *_ARGUMENTS]))
    return name, tuple(draw(argument) for argument in _ARGUMENTS.get(name, ()))


def _spell(of: CatalogKeys, spelling: tuple[str, tuple[Any, ...]]) -> str:
    name, arguments = spelling
    return getattr(of, name)(*arguments) if name in _ARGUMENTS else getattr(of, name)


def test_every_name_is_tried_here() -> None:
    """A name that is new has to be added above."""
    methods = {name for name in vars(CatalogKeys) if callable(getattr(CatalogKeys, name)) and not name.startswith("_")}
    assert methods == set(_ARGUMENTS)
    assert {declared.name for declared in declarations()} >= {*_ATTRIBUTES, *_ARGUMENTS}


@given(_spellings(), _spellings(), _CATALOG_KEYS, _CATALOG_KEYS)
def test_no_two_names_collide(one: Any, two: Any, catalog: str, other: str) -> None:
    """Whatever sections and ids are called, different things have different keys."""
    if one != two:
        assert _spell(CatalogKeys(catalog), one) != _spell(CatalogKeys(catalog), two)
    if catalog != other:
        assert _spell(CatalogKeys(catalog), one) != _spell(CatalogKeys(other), two)


@given(generated.TEXTS, generated.TEXTS, _SECTIONED)
def test_sections_that_look_alike_have_keys_of_their_own(one: str, two: str, kind: Kind) -> None:
    """Escapes, colons and generations inside a section's name fool nobody."""
    of = CatalogKeys("acme")
    for section in (one, two, f"0:{one}", f"ids:0:{one}", one.replace(":", "%3A")):
        assert (of.entries(kind, section, 0) == of.entries(kind, one, 0)) == (section == one)
        assert of.entries(kind, section, 0) != of.index(kind, one, 0)


def test_item_groups_lie_in_no_section() -> None:
    """They are the catalog's, whatever section they are asked for with."""
    of = CatalogKeys("acme")
    assert of.entries(Kind.ITEM_GROUPS, "Products", 7) == of.entries(Kind.ITEM_GROUPS, "", 7)
    assert of.index(Kind.ITEM_GROUPS, "Products", 7) == of.index(Kind.ITEM_GROUPS, "", 7)


@given(_CATALOG_KEYS, _spellings())
def test_all_keys_of_a_catalog_share_its_slot(catalog: str, spelling: Any) -> None:
    """The first braces hold the catalog key and nothing else: that is what Redis Cluster hashes."""
    name = _spell(CatalogKeys(catalog), spelling)
    assert re.match(r"[^{]*\{([^}]*)\}", name)[1] == catalog  # type: ignore[index]
    assert not name.startswith((keys.CATALOGS, keys.BACKLOG, keys.CREDENTIALS, keys.WORKERS))


@given(_CATALOG_KEYS, _spellings())
def test_every_name_matches_one_declaration(catalog: str, spelling: Any) -> None:
    """So that the key checker can tell what each is; a section without a name is refused at the door."""
    if spelling[0] in ("entries", "index", "patches", "links") and "" in spelling[1]:
        return
    name = _spell(CatalogKeys(catalog), spelling)
    assert [one.name for one in declarations() if one.pattern.fullmatch(name)] == [spelling[0]]


@given(generated.IDS, generated.IDS, generated.IDS, generated.IDS)
def test_links_are_unambiguous(item: str, variation: str, other_item: str, other: str) -> None:
    """A link begins with the prefix of its own item only, whatever the ids hold, and both ids can be read from it."""
    assert split_link(link(item, variation)) == (item, variation)
    assert (link(item, variation) == link(other_item, other)) == ((item, variation) == (other_item, other))
    assert link(item, variation).startswith(link_prefix(other_item)) == (item == other_item)
    assert not link(item, variation).startswith(link_prefix(f"{item}:{variation}"))


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
def test_padded_ids_are_ordered_as_numbers(one: int, two: int) -> None:
    assert (padded(one) < padded(two)) == (one < two)
