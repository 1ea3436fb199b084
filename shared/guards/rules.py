"""The rules of a guard, as they are set and stored.  Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.settings import Settings

#: Begins the name of a field of ``data``, as ``data.price``.
DATA = "data."


class Mode(StrEnum):
    """What happens to a task that breaks a rule."""

    #: It FAILS and nothing is applied.
    ENFORCE = "enforce"
    #: It is applied, with a warning.
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class FieldRules:
    """Limits for one field.  Shares are of the entries that a task sends; without limits a field is only measured."""

    #: Most entries that may lose their value.
    max_emptied: float | None = None
    #: Bounds of numbers, and most entries that may have one outside.
    at_least: float | None = None
    at_most: float | None = None
    max_outside: float = 0.0
    #: Most entries whose number may be multiplied or divided by more than the factor.
    factor: float | None = None
    max_jumps: float = 0.0
    #: Most entries whose text may look decoded with a wrong character encoding.
    max_garbled: float | None = None

    @property
    def bounded(self) -> bool:
        """Whether numbers have a bound."""
        return self.at_least is not None or self.at_most is not None


@dataclass(frozen=True, slots=True)
class Rules:
    """What a task may do to the entries of one kind in one section."""

    mode: Mode = Mode.ENFORCE
    #: Of the guard that they are part of.
    version: int = 0
    #: Shares of fewer entries than this break no rule.  None: as the setting.
    floor: int | None = None
    #: Most entries that a task may create, change or delete, as shares of those that are stored.
    max_created: float | None = None
    max_updated: float | None = None
    max_deleted: float | None = None
    #: By name: ``name``, ``suggested_score``, ``item_id``, or ``data.`` and a field of ``data``.
    fields: dict[str, FieldRules] = field(default_factory=dict)
    #: Fields that every written entry must have a value in.  Not waived by force.
    required: tuple[str, ...] = ()
    #: A JSON Schema for the ``data`` of every written entry.  Not waived by force.
    schema: dict[str, Any] | bool | None = None


@dataclass(frozen=True, slots=True)
class DeletionLimit:
    """The most that a task may delete of a kind, unless it is forced."""

    ratio: float
    #: Of fewer entries than this any number may be deleted.
    floor: int


def floor_of(rules: Rules | None, settings: Settings) -> int:
    """Return the number of entries from which shares count."""
    return settings.safeguard_floor if rules is None or rules.floor is None else rules.floor


def safeguard(rules: Rules | None, settings: Settings) -> DeletionLimit:
    """Return the limit that makes a task fail: the rule that is enforced, or else the one of the settings."""
    if rules is None or rules.max_deleted is None or rules.mode is Mode.WARN:
        return DeletionLimit(settings.safeguard_ratio, settings.safeguard_floor)
    return DeletionLimit(rules.max_deleted, floor_of(rules, settings))
