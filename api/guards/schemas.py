"""Schemas of the rules of guards."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validates_schema

from api.schemas import fields
from api.schemas.base import Strict
from api.schemas.fields import between, length
from shared.codec import encode_json
from shared.guards.data_schema import DataSchema
from shared.guards.field_reader import can_be_read
from shared.guards.guard_records import RULES_BYTES
from shared.guards.rules import DATA, Mode
from shared.guards.schema_size import BadSchema

#: Most fields with rules, and most required ones.
MOST_FIELDS = 20
#: Numbers beyond this are no bound.
_HUGE = 10**15


class FieldName(fields.Text):
    """The name of a field that rules are about."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        name = super()._deserialize(value, attr, data, **kwargs)
        if name not in ("name", "suggested_score", "item_id") and not (name.startswith(DATA) and name != DATA):
            raise ValidationError("value is not name, suggested_score, item_id, or data. and the name of a field")
        if not can_be_read(name):
            raise ValidationError("a name with a quote, a backslash or a control character cannot have rules")
        return name


def _name() -> FieldName:
    return FieldName(validate=length(1, 250))


def _share(meaning: str) -> fields.Number:
    return fields.Number(validate=between(0, 1), metadata={"description": f"{meaning}, from 0 to 1."})


def _number(meaning: str) -> fields.Number:
    return fields.Number(validate=between(-_HUGE, _HUGE), metadata={"description": meaning})


class FieldRulesSchema(Strict):
    """Limits for one field. Shares are of the entries that a task sends. Without limits a field is only measured."""

    max_emptied = _share("Largest share of entries that may lose their value")
    at_least = _number("Least number; of texts that are numbers too.")
    at_most = _number("Greatest number.")
    max_outside = _share("Largest share of entries that may have a number outside; 0 if not given")
    factor = fields.Number(
        validate=between(1, _HUGE),
        metadata={"description": "Most by which a number may be multiplied or divided; from or to 0 is more."},
    )
    max_jumps = _share("Largest share of entries whose number may change by more; 0 if not given")
    max_garbled = _share("Largest share of entries whose text may look decoded with a wrong character encoding")

    @validates_schema
    def refuse_half_rules(self, rules: dict[str, Any], **_: Any) -> None:
        """Refuse a share without that of which it is one, and bounds that nothing is between."""
        if "max_jumps" in rules and "factor" not in rules:
            raise ValidationError("max_jumps requires factor", "max_jumps")
        if "max_outside" in rules and not {"at_least", "at_most"} & rules.keys():
            raise ValidationError("max_outside requires at_least or at_most", "max_outside")
        if rules.get("at_least", -_HUGE) > rules.get("at_most", _HUGE):
            raise ValidationError("ensure this value is less than or equal to at_most", "at_least")


class RulesSchema(Strict):
    """The rules for the entries of one kind in one section; those that are not given do not hold."""

    mode = fields.Choice(
        list(Mode),
        metadata={
            "description": "`enforce` (default): a task that breaks a rule FAILS and nothing is applied. `warn`: it is "
            "applied, with warnings (`GUARD`)."
        },
    )
    floor = fields.WholeNumber(
        validate=between(0, 10**9),
        metadata={
            "description": "Shares of fewer entries than this break no rule, so that small batches do not trip. "
            "Default: the setting SLUICE_SAFEGUARD_FLOOR, 100."
        },
    )
    max_created = _share("Most entries that a task may create, as a share of those stored")
    max_updated = _share("Most entries that a task may change, as a share of those stored")
    max_deleted = _share("Most entries that a task may delete, as a share of those stored; default 0.5, a setting")
    fields_ = fields.MapOf(
        keys=_name(),
        values=fields.Object(FieldRulesSchema),
        data_key="fields",
        metadata={
            "description": "Rules by field: `name`, `suggested_score`, `item_id`, or `data.` and the name of a field "
            f"of `data`. At most {MOST_FIELDS}."
        },
    )
    required = fields.ListOf(
        _name(),
        validate=length(None, MOST_FIELDS, "items"),
        metadata={"description": "Fields that every written entry must have a value in. Not waived by `force`."},
    )
    schema = fields.JsonSchema(
        metadata={
            "description": "A JSON Schema, draft 2020-12, for the `data` of every written entry. References to other "
            "documents, to anchors and to itself, patterns with look-around or back-references, and more than 10,000 "
            "parts or 100 patterns are refused. Not waived by `force`."
        },
    )

    @validates_schema(pass_original=True)
    def refuse_too_much(self, rules: dict[str, Any], original: Any, **_: Any) -> None:
        """Refuse a schema that is none, and rules that are too many or too long."""
        if len(rules.get("fields_", ())) > MOST_FIELDS:
            raise ValidationError(f"ensure this value has at most {MOST_FIELDS} items", "fields")
        if len(encode_json(original)) > RULES_BYTES:
            raise ValidationError(f"ensure these rules have at most {RULES_BYTES} bytes of JSON")
        try:
            if "schema" in rules:
                DataSchema.of(rules["schema"])
        except BadSchema as problem:
            raise ValidationError(f"not a JSON Schema of draft 2020-12: {problem}", "schema") from None
