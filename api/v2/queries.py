"""Query parameters of V2's writes and reads."""

from __future__ import annotations

from api.schemas import fields, query_fields
from api.schemas.fields import length
from api.schemas.queries import (
    GroupSection,
    PagedQuery,
    SubmittingQuery,
    on_invalid_choice,
    on_missing_choice,
    page_size,
    section_or_default,
)
from shared.model import Kind, Operation


class WriteQuery(SubmittingQuery):
    """Parameters of every write of entries."""

    on_invalid = on_invalid_choice()
    dry_run = query_fields.QueryFlag(
        load_default=False,
        metadata={
            "description": "Check and report, but store nothing. The answer is 200 and lists the entries that break "
            "the rules, if any."
        },
    )


class PatchQuery(WriteQuery):
    """Parameters of a PATCH."""

    on_missing = on_missing_choice()


class GroupsWriteQuery(GroupSection, WriteQuery):
    """Parameters of a write of item groups."""


class GroupsPatchQuery(GroupSection, PatchQuery):
    """Parameters of a PATCH of item groups."""


def write_query(kind: Kind, operation: Operation) -> type[WriteQuery]:
    """Return the parameters of a write."""
    if operation is Operation.PATCH:
        return GroupsPatchQuery if kind is Kind.ITEM_GROUPS else PatchQuery
    return GroupsWriteQuery if kind is Kind.ITEM_GROUPS else WriteQuery


class _ListQuery(PagedQuery):
    """Parameters of a list of entries."""

    ids = fields.ListOf(
        fields.Text(),
        data_key="id",
        load_default=list,
        validate=length(None, 1000, "items"),
        metadata={"description": "Return only these ids. Repeatable, up to 1,000 times."},
    )
    next_page_cursor = fields.Text(
        load_default=None,
        allow_none=False,
        metadata={"description": "Cursor from the previous page. Not together with `page` or `offset`."},
    )

    exclusive = ("next_page_cursor", "offset", "page")


class ItemsQuery(_ListQuery):
    """Parameters of a list of items."""

    section = section_or_default()
    num_results_per_page = page_size(100, most=1000)


class VariationsQuery(ItemsQuery):
    """Parameters of a list of variations."""

    item_ids = fields.ListOf(
        fields.Text(validate=length(1, 250)),
        data_key="item_id",
        load_default=list,
        validate=length(None, 1000, "items"),
        metadata={"description": "Return only the variations of these items. Repeatable, up to 1,000 times."},
    )


class GroupsQuery(GroupSection, _ListQuery):
    """Parameters of a list of item groups."""

    num_results_per_page = page_size(20, most=100)
