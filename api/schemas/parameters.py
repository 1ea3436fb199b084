"""Query parameters that a request does not take: refused where their sender may have meant something by them.

One rule for every call.  A parameter of another call is refused, and so is one that is spelled nearly like one of this
call's; whatever else nobody knows is ignored, since clients send parameters of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from api.errors import Invalid, Problem
from api.schemas.nearest import nearest

#: Sent by official clients with every request, and of no meaning here.
CLIENTS_OWN = frozenset({"c", "_dt", "i", "s", "ui", "us"})
#: What clients of V1 call a parameter, and what it is called now.
SYNONYMS = {"autocomplete_key": "key", "autocomplete_section": "section"}

NOT_OF_THIS_CALL = "this request does not take this parameter"
SENT_TWICE = "sent more than once, with different values"

#: Names are cut to this in messages, since a sender may choose them.
_NAME_LENGTH = 100


def only_value(args: Any, name: str) -> str | None:
    """Read the one value of a parameter, under its own name or the one V1 had; None if it was not sent.

    Raises Invalid if it was sent with different values: either may be meant.
    """
    values = args.getlist(name)
    for synonym, meant in SYNONYMS.items():
        if meant == name and synonym in args:
            values = values + args.getlist(synonym)
    if len(set(values)) > 1:
        raise Invalid(Problem(name, SENT_TWICE))
    return values[0] if values else None


class Parameters:
    """The parameters of all calls."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def add(self, names: Iterable[str]) -> None:
        """Make the parameters of one call known to the others."""
        self._known.update(names)

    def refuse_unknown(
        self, args: Mapping[str, Any], taken: frozenset[str], *, hints: Mapping[str, str], open_to_others: bool
    ) -> None:
        """Raise Invalid for parameters that a call does not take, but may have been sent for a purpose.

        ``hints`` say what to do about a parameter by its name.  Where a call is not ``open_to_others``, any parameter
        that it does not know is refused.
        """
        if taken.issuperset(args):
            return
        problems = []
        for name in args:
            if name in taken:
                continue
            if (hint := hints.get(name)) or name in self._known:
                problems.append(Problem(name, hint or NOT_OF_THIS_CALL))
            elif (meant := _meant(name[:_NAME_LENGTH], taken)) or not open_to_others:
                problems.append(Problem(name[:_NAME_LENGTH], f"unknown parameter{meant}"))
        if problems:
            raise Invalid(*problems)


@lru_cache(maxsize=1000)
def _meant(name: str, taken: frozenset[str]) -> str:
    """Ask whether a parameter was meant; cached, since clients send the same ones again and again."""
    return nearest(name, sorted(taken - CLIENTS_OWN))
