"""Rules of guards, made up so that what is sent breaks them now and then."""

from __future__ import annotations

import random
from typing import Any

_SHARES = (0, 0.25, 0.5, 1)
_LIMITS: tuple[dict[str, float], ...] = (
    {"at_least": 1.5},
    {"at_most": 2, "max_outside": 0.5},
    {"max_emptied": 0},
    {"max_emptied": 0.5},
    {"factor": 2},
    {"factor": 3, "max_jumps": 0.5},
)


def make_rules(chance: random.Random) -> dict[str, Any]:
    """Make up the rules of one guard: there is at least one."""
    rules: dict[str, Any] = {"mode": chance.choice(("enforce", "enforce", "warn"))}
    if chance.random() < 0.7:
        rules["floor"] = chance.choice((0, 1, 3))
    names = [f"max_{what}" for what in ("created", "updated", "deleted") if chance.random() < 0.4]
    rules |= {name: chance.choice(_SHARES) for name in names or ["max_deleted"]}
    if chance.random() < 0.2:
        rules["required"] = [chance.choice(("name", "data.p"))]
    if chance.random() < 0.5:
        fields = chance.sample(("suggested_score", "data.p", "name"), chance.choice((1, 2)))
        rules["fields"] = {name: dict(chance.choice(_LIMITS)) for name in fields}
    return rules
