"""The rules of what a line of a catalogue file changes, where they differ from those of a PATCH."""

from __future__ import annotations

from api import fields
from api.entry_schemas import Data, GroupPut, ItemPut, Strict, entry_data, entry_id, entry_name, group_data
from api.fields import length
from shared.model import Kind

NO_EDITS_IN_FILES = "list edits are not permitted in files"


class ItemFilePatch(ItemPut):
    """What a line of a file changes in an item that is there."""

    name = entry_name(required=False)
    data = entry_data(Data, NO_EDITS_IN_FILES)


class VariationFilePatch(ItemFilePatch):
    """What a line of a file changes in a variation that is there."""

    item_id = entry_id(required=False)


class GroupFilePatch(GroupPut):
    """What a line of a file changes in an item group that is there."""

    name = fields.Text(validate=length(1, 500))
    data = group_data(NO_EDITS_IN_FILES)


#: What a line of a file may change.  Without list edits an entry fails for nothing but its absence.
FILE_PATCHES: dict[Kind, type[Strict]] = {
    Kind.ITEMS: ItemFilePatch,
    Kind.VARIATIONS: VariationFilePatch,
    Kind.ITEM_GROUPS: GroupFilePatch,
}
