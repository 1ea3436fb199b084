"""How much work a JSON Schema asks for: its parts, counted as often as references lead to them."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from shared.errors import SluiceError

#: Most parts, and most patterns, of a schema.
MOST_PARTS = 10_000
MOST_PATTERNS = 100


class BadSchema(SluiceError):
    """This is no schema that can be used; the text says why."""


def check_size(schema: Any) -> None:
    """Raise BadSchema if a schema is too large with its references followed, or refers to itself.

    To check an entry takes as long as there are parts then: forty short definitions, each of which refers to the next
    one twice, would take for ever.
    """
    counter = _Counter(schema)
    try:
        parts = counter.parts(schema)
    except RecursionError:
        raise BadSchema("its references are nested too deeply") from None
    if parts > MOST_PARTS:
        raise BadSchema(f"it has more than {MOST_PARTS:,} parts, with its references followed")
    if counter.patterns > MOST_PATTERNS:
        raise BadSchema(f"it has more than {MOST_PATTERNS} patterns")


class _Counter:
    def __init__(self, root: Any) -> None:
        self.patterns = 0
        self._root = root
        #: Reference → parts behind it; None while they are counted.
        self._behind: dict[str, int | None] = {}

    def parts(self, node: Any) -> int:
        if isinstance(node, list):
            return 1 + sum(map(self.parts, node))
        if not isinstance(node, dict):
            return 1
        count = 1
        for name, member in node.items():
            if name == "$ref" and isinstance(member, str):
                count += self._behind_reference(member)
            elif name == "$dynamicRef":
                raise BadSchema("$dynamicRef is not supported")
            else:
                self.patterns += len(member) if name == "patternProperties" and isinstance(member, dict) else 0
                self.patterns += name == "pattern"
                count += self.parts(member)
        return count

    def _behind_reference(self, reference: str) -> int:
        if reference not in self._behind:
            self._behind[reference] = None
            self._behind[reference] = self.parts(self._find(reference))
        behind = self._behind[reference]
        if behind is None:
            raise BadSchema(f"{reference!r} refers to itself")
        return behind

    def _find(self, reference: str) -> Any:
        """Follow a pointer within the schema; what is not found is the compiler's to refuse."""
        if not reference.startswith("#") or (reference != "#" and not reference.startswith("#/")):
            raise BadSchema(f"{reference!r} is no reference of the form #/$defs/name")
        node = self._root
        for step in unquote(reference).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and name.isdigit() and int(name) < len(node):
                node = node[int(name)]
            elif isinstance(node, dict) and name in node:
                node = node[name]
            else:
                return None
        return node
