"""Hypothesis strategies for what senders may send."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

#: Numbers as they may be spelled in JSON; those that look alike on purpose.
NUMBERS = st.one_of(
    st.sampled_from(["0", "-0", "0.0", "1", "1.0", "1.00", "1e0", "10E-1", "19.90", "19.9", "1e2", "100", "-1.5e+3"]),
    st.integers(-(10**30), 10**30).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
)
#: Any text that can be written in UTF-8.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
#: Ids as they may stand in a batch.
IDS = TEXTS.filter(bool)

_SCALARS = st.one_of(st.sampled_from(["null", "true", "false"]), NUMBERS, TEXTS.map(json.dumps))


def _spelled(members: Any) -> Any:
    lists = st.lists(members, max_size=3).map(lambda found: "[" + ", ".join(found) + "]")
    pairs = st.dictionaries(TEXTS, members, max_size=3)
    objects = pairs.map(
        lambda found: "{" + ",".join(f"{json.dumps(name)}: {value}" for name, value in found.items()) + "}"
    )
    return lists | objects


#: JSON values as text, every number as somebody spelled it.
VALUES = st.recursive(_SCALARS, _spelled, max_leaves=8)
LISTS = st.lists(VALUES, max_size=5).map(lambda found: "[" + ",".join(found) + "]")


@st.composite
def objects(draw: st.DrawFn, names: list[str], *, edits: bool = False, nulls: bool = True) -> str:
    """An object over a few names, so that they meet; with ``edits`` also of the lists under them."""
    members = []
    for name in draw(st.lists(st.sampled_from(names), unique=True)):
        edit = draw(st.sampled_from(["", ":add", ":remove"])) if edits else ""
        value = draw(LISTS if edit else VALUES.filter(lambda text: nulls or text != "null"))
        members.append(f"{json.dumps(name + edit)}: {value}")
    return "{" + ", ".join(members) + "}"
