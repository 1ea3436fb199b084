"""``/v1/item_groups``: nested groups; the response to a write comes when it is applied."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from api.errors import NotFound
from api.http.auth import authorize, caller
from api.http.bodies import read_json_body
from api.http.idempotency import read_idempotency_key
from api.http.responses import answer_json
from api.openapi.describe import describe
from api.schemas.base import load_query
from api.schemas.queries import GroupSection
from api.services import current_services
from api.submit.and_wait import refuse_failed, submit_and_wait
from api.submit.submit import origin
from api.v1 import docs_groups
from api.v1.group_bodies import make_chunk, read_change, read_nested
from api.v1.group_tree import GroupTree, decode_group
from api.v1.schemas import GroupsV1Query
from shared.catalog.reader import Catalog
from shared.codec import encode_json
from shared.model import NO_SECTION, Batch, Chunk, Kind, OnMissing, Operation, Status
from shared.tasks.records import Task
from shared.tasks.reports import EntryOutcome

#: The public service's message; here the groups are deleted by then.
DELETED = "We've started deleting all of your groups. This may take some time to complete."

blueprint = Blueprint("item_groups_v1", __name__, url_prefix="/v1/item_groups")
blueprint.before_request(authorize)


@blueprint.get("")
@describe(docs_groups.ALL)
def get_all() -> Response:
    tree = _tree()
    return _answer_tree(tree, tree.roots())


@blueprint.get("/<anything:group_id>")
@describe(docs_groups.ONE)
def get_one(group_id: str) -> Response:
    """Answer with a group and all below it; with none if it is not there, as the clients expect."""
    tree = _tree()
    return _answer_tree(tree, [group_id] if group_id in tree else [])


@blueprint.post("")
@describe(docs_groups.ADD)
def post() -> Response:
    return _write_nested(Operation.ADD)


@blueprint.put("")
@describe(docs_groups.REPLACE)
def put() -> Response:
    return _write_nested(Operation.REPLACE)


@blueprint.patch("")
@describe(docs_groups.UPSERT)
def patch() -> Response:
    return _write_nested(Operation.UPSERT)


@blueprint.delete("")
@describe(docs_groups.DELETE)
def delete() -> Response:
    """Delete all groups: they are replaced by none."""
    refuse_failed(_apply(Operation.REPLACE, make_chunk([], []), b""))
    return jsonify(message=DELETED)


@blueprint.put("/<anything:group_id>")
@describe(docs_groups.PUT_ONE)
def put_one(group_id: str) -> Response:
    """Change the fields of one group that are sent, or make it; a new one needs a name."""
    body = read_json_body()
    chunk, has_name = read_change(body, group_id)
    task = _apply(Operation.UPSERT, chunk, body, OnMissing.CREATE if has_name else OnMissing.FAIL)
    if task.status is Status.FAILED and not has_name:
        raise NotFound(f"item group not found: {group_id!r}; a new one needs a name")
    refuse_failed(task)
    return _answer_one(group_id)


def _write_nested(operation: Operation) -> Response:
    body = read_json_body()
    task = _apply(operation, read_nested(body), body)
    refuse_failed(task)
    outcomes = current_services().reports(caller().catalog_key).page(task, only=None, offset=0, size=0).by_outcome
    return jsonify(
        item_groups={
            "processed": task.batch.entries,
            "inserted": outcomes[EntryOutcome.CREATED],
            "updated": outcomes[EntryOutcome.UPDATED],
            "deleted": task.counts["item_groups_deleted"],
        }
    )


def _apply(operation: Operation, chunk: Chunk, body: bytes, on_missing: OnMissing = OnMissing.CREATE) -> Task:
    query = load_query(GroupsV1Query, request.args)
    batch = Batch(
        kind=Kind.ITEM_GROUPS,
        operation=operation,
        section=NO_SECTION,
        entries=len(chunk),
        bytes=len(body),
        chunks=1,
        on_missing=on_missing,
        origin=origin(),
    )
    idempotency = read_idempotency_key(batch, body)
    return submit_and_wait(batch, [chunk], idempotency=idempotency, wait_s=query["wait"])


def _tree() -> GroupTree:
    load_query(GroupSection, request.args)
    return GroupTree(_catalog().item_groups())


def _catalog() -> Catalog:
    return current_services().catalog(caller().catalog_key)


def _answer_tree(tree: GroupTree, roots: list[str]) -> Response:
    groups, count = tree.write(roots)
    return answer_json(b'{"item_groups":%s,"total_count":%d}' % (groups, count))


def _answer_one(group_id: str) -> Response:
    """Show one group and where it lies: its path names the groups above it, outermost first."""
    catalog = _catalog()
    found = catalog.get(Kind.ITEM_GROUPS, NO_SECTION, [group_id])
    if not found:
        raise NotFound(f"item group not found: {group_id!r}; a later write has deleted it")
    group = decode_group(found[0].body)
    above = _ids_above(catalog, group_id, group.parent_ids)
    rendered = {
        "id": group_id,
        "name": group.name,
        "parent_id": group.parent_ids[0] if group.parent_ids else None,
        "data": group.data,
        "path": "/" + "/".join(above),
        "path_list": above,
    }
    return answer_json(encode_json(rendered))


def _ids_above(catalog: Catalog, group_id: str, parent_ids: list[str]) -> list[str]:
    above: list[str] = []
    seen = {group_id}
    while parent_ids:
        parents = catalog.get(Kind.ITEM_GROUPS, NO_SECTION, parent_ids)
        parent = next((one for one in parents if one.id not in seen), None)
        if parent is None:
            break
        above.insert(0, parent.id)
        seen.add(parent.id)
        parent_ids = decode_group(parent.body).parent_ids
    return above
