"""Rules for the rows of catalogue files, where they differ from those of a PATCH."""

from __future__ import annotations

from functools import cache

from api.entries.rules import EntryRules, rules_for
from api.schemas import fields
from api.schemas.base import Strict
from api.schemas.entries import (
    ENTRY_SCHEMAS,
    Data,
    GroupPut,
    ItemPut,
    entry_data,
    entry_name,
    group_data,
    parent_item_id,
)
from api.schemas.fields import length
from shared.model import Kind, OnMissing, Operation

NO_EDITS_IN_FILES = "list edits are not permitted in files"


class ItemFilePatch(ItemPut):
    """Fields that a row may change in an existing item."""

    name = entry_name(required=False)
    data = entry_data(Data, NO_EDITS_IN_FILES)


class VariationFilePatch(ItemFilePatch):
    """Fields that a row may change in an existing variation."""

    item_id = parent_item_id(required=False)


class GroupFilePatch(GroupPut):
    """Fields that a row may change in an existing item group."""

    name = fields.Text(validate=length(1, 500))
    data = group_data(NO_EDITS_IN_FILES)


#: Fields that a row may change.  Without list edits an entry can fail only because it does not exist.
FILE_PATCHES: dict[Kind, type[Strict]] = {
    Kind.ITEMS: ItemFilePatch,
    Kind.VARIATIONS: VariationFilePatch,
    Kind.ITEM_GROUPS: GroupFilePatch,
}


@cache
def file_rules_for(kind: Kind, operation: Operation, on_missing: OnMissing) -> EntryRules:
    """Return the rules for the entries of catalogue files, built once: a sync has whole entries, or ids only."""
    match operation:
        case Operation.SYNC:
            return rules_for(kind, Operation.PUT, on_missing)
        case Operation.KEEP:
            return rules_for(kind, Operation.DELETE, on_missing)
        case Operation.PATCH if on_missing is not OnMissing.CREATE:
            return EntryRules(FILE_PATCHES[kind](), kind)
        case _:
            return rules_for(kind, operation, on_missing)


# Build all of them at import, as for batches.
for _kind, _operation in ENTRY_SCHEMAS:
    for _on_missing in OnMissing:
        file_rules_for(_kind, _operation, _on_missing)
