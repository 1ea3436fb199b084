"""The rules of guards that a worker has read already."""

from __future__ import annotations

from collections.abc import Mapping

from shared.catalog.reading import Reading
from shared.guards.guard_records import ask_for_rules, place, read_rules
from shared.guards.rules import Rules
from shared.keys import keys_of
from shared.model import Kind
from shared.partition.work import Work

#: Most catalogs whose rules are kept.
CATALOGS = 1000


class KnownRules:
    """Rules by catalog, each as of one state of its guards."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, dict[str, Rules | None]]] = {}

    def reading(self, catalog_key: str, head: Work) -> Reading[Mapping[Kind, Rules]]:
        """Read the rules for the kinds of a task, in one round trip, or in none if they are known.

        They are those of the state that the window names, or newer.
        """
        batch = head.batch
        if batch is None or batch.export is not None:
            return {}
        stamp, known = self._known.get(catalog_key, ("", {}))
        if stamp != head.guards:
            if len(self._known) >= CATALOGS:
                self._known.clear()
            known = {}
            self._known[catalog_key] = (head.guards, known)
        places = {kind: place(kind, batch.section_of(kind)) for kind in batch.kinds}
        unknown = [where for where in places.values() if where not in known]
        if unknown:
            [values] = yield [ask_for_rules(keys_of(catalog_key), unknown)]
            known.update(zip(unknown, read_rules(values), strict=True))
        return {kind: rules for kind, where in places.items() if (rules := known[where]) is not None}
