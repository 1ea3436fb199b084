"""Schemas of V1's requests."""

from __future__ import annotations

from marshmallow import validate

from api.schemas import fields, query_fields
from api.schemas.base import Strict
from api.schemas.entries import (
    ONE_ALPHANUMERIC,
    Data,
    Described,
    entry_data,
    entry_id,
    group_data,
    group_id,
    named_section,
    score,
)
from api.schemas.fields import between, length
from api.schemas.queries import GroupSection, WaitQuery
from api.schemas.wait import QueryWait
from api.waiters import MAX_WAIT_S
from shared.model import OnInvalid


class SyncQuery(WaitQuery):
    """Parameters of a write of V1.  Those of V2 only are refused, since ignoring them would do something else."""

    wait = QueryWait(
        load_default=None,
        allow_none=False,
        validate=between(0, MAX_WAIT_S),
        metadata={
            "description": f"Seconds to wait for the task to end, {MAX_WAIT_S} if it is not sent; then 504. `indexed`: "
            f"after its end also until every required sink has the task, {MAX_WAIT_S} seconds in all. The answer is "
            "the same if they have it and if the time is up: which it was, `index_built` of the task says, which the "
            "header `X-Task-Id` names."
        },
    )
    dry_run = query_fields.QueryFlag(
        validate=validate.Equal(False, error="not available in V1"), metadata={"description": "Not available in V1."}
    )
    on_invalid = fields.Choice(
        [OnInvalid.REJECT],
        metadata={"description": "V1 always refuses the whole request if an entry breaks the rules."},
    )


class ItemsV1Query(SyncQuery):
    """Parameters of a write of items in V1; the section may be in the body instead."""

    section = fields.Text(
        load_default=None,
        allow_none=False,
        validate=length(1, 100),
        metadata={"description": "The section of the catalog; may be in the body instead."},
    )
    force = query_fields.QueryFlag(
        load_default=False,
        metadata={
            "description": "Let a PUT also create items that do not exist, and waive the safeguard: without it, a "
            "call that would delete more than half of a section's items fails."
        },
    )


class GroupsV1Query(GroupSection, SyncQuery):
    """Parameters of a write of item groups in V1."""


NO_EDITS_IN_V1 = "list edits are not permitted in V1"


class CallV1(Strict):
    """Members of a V1 body besides its items."""

    section = named_section()
    autocomplete_section = named_section()


_ITEM_NAME = "The name; also the id of an item without one. Has at least one letter or digit."


def named_item(*, required: bool, allow_none: bool = False, description: str = _ITEM_NAME) -> fields.Text:
    """Declare the ``item_name`` of an item or a variation."""
    return fields.Text(
        required=required,
        allow_none=allow_none,
        validate=[*length(1, 250), ONE_ALPHANUMERIC],
        metadata={"description": description},
    )


def item_metadata() -> fields.OpenObject:
    """Declare the ``metadata`` of an item or a variation."""
    return entry_data(Data, NO_EDITS_IN_V1, note=" V2 returns it in `data`.")


class ItemV1(Described):
    """An item of V1 without its ``variations``; without an ``id``, its ``item_name`` is its id."""

    id = entry_id(required=False)
    item_name = named_item(required=True)
    section = named_section()
    autocomplete_section = named_section()
    suggested_score = score()
    metadata = item_metadata()


class ItemV1Change(ItemV1):
    """An existing item of V1, which may be renamed."""

    new_item_name = named_item(required=False, description="The new name; requires an `id`.")


class VariationV1(Described):
    """A variation inside an item of V1."""

    id = entry_id()
    item_name = named_item(required=False, allow_none=True)
    suggested_score = score()
    metadata = item_metadata()


class ItemV1Delete(Strict):
    """An item of V1 to delete, named by its id, name and section.  Its other fields may be sent and are ignored."""

    id = entry_id(required=False)
    item_name = fields.Text(
        validate=length(1, 250), metadata={"description": "The item's name, which is its id if it has none."}
    )
    section = named_section()
    autocomplete_section = named_section()
    new_item_name = fields.Unread()
    suggested_score = fields.Unread()
    keywords = fields.Unread()
    url = fields.Unread()
    image_url = fields.Unread()
    description = fields.Unread()
    facets = fields.Unread()
    group_ids = fields.Unread()
    metadata = fields.Unread()
    variations = fields.Unread()


class GroupV1(Strict):
    """An item group of V1 without its ``children``, which are groups too."""

    id = group_id()
    name = fields.Text(required=True, validate=length(1, 500))
    parent_id = group_id(required=False, allow_none=True, metadata={"description": "The group that it lies in."})
    data = group_data(NO_EDITS_IN_V1)


class GroupV1Change(GroupV1):
    """The fields of an item group of V1 to create or change."""

    name = fields.Text(validate=length(1, 500))
