"""``/v1/item`` and ``/v1/batch_items``: write items with their variations while the caller waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from flask import Blueprint, Response, request
from msgspec import Raw

from api.entries.chunks import CHUNK_BYTES, build_body, cut_into_chunks
from api.entries.json_body import UNKNOWN_MEMBER, decode, list_up_to, refuse_repeated, text_of
from api.entries.parsed_body import count_problem
from api.errors import Invalid, Problem, TooLarge
from api.http.auth import authorize
from api.http.bodies import read_json_body
from api.http.idempotency import read_idempotency_key
from api.openapi.describe import describe
from api.schemas.base import load_body, load_query, problems
from api.schemas.fields import EXTRA, NOT_A_DICT, NOT_A_LIST, NULL, REQUIRED
from api.schemas.parameters import SENT_TWICE
from api.services import current_services
from api.submit.and_wait import refuse_failed, submit_and_wait
from api.submit.submit import origin
from api.v1 import docs_items
from api.v1.item_bodies import NAME, ItemEntries, read_items
from api.v1.schemas import CallV1, ItemsV1Query
from shared.model import Batch, Kind, OnMissing, Operation

blueprint = Blueprint("items_v1", __name__, url_prefix="/v1")
blueprint.before_request(authorize)


class _SectionMembers(msgspec.Struct):
    section: Raw = Raw()
    autocomplete_section: Raw = Raw()


class _ItemsCall(msgspec.Struct, forbid_unknown_fields=True):
    items: Raw = Raw()
    section: Raw = Raw()
    autocomplete_section: Raw = Raw()


_Sent = TypeVar("_Sent", _SectionMembers, _ItemsCall)
_ITEM = msgspec.json.Decoder(_SectionMembers)
_CALL = msgspec.json.Decoder(_ItemsCall)


@blueprint.post("/item")
@describe(docs_items.POST_ONE)
def post_one() -> Response:
    return _write_one(Operation.CREATE)


@blueprint.put("/item")
@describe(docs_items.PUT_ONE)
def put_one() -> Response:
    return _write_one(Operation.MODIFY)


@blueprint.patch("/item")
@describe(docs_items.PATCH_ONE)
def patch_one() -> Response:
    return _write_one(Operation.AMEND)


@blueprint.delete("/item")
@describe(docs_items.DELETE_ONE)
def delete_one() -> Response:
    return _write_one(Operation.DELETE)


@blueprint.post("/batch_items")
@describe(docs_items.POST_MANY)
def post_many() -> Response:
    return _write_many(Operation.CREATE)


@blueprint.put("/batch_items")
@describe(docs_items.PUT_MANY)
def put_many() -> Response:
    return _write_many(Operation.MODIFY)


@blueprint.delete("/batch_items")
@describe(docs_items.DELETE_MANY)
def delete_many() -> Response:
    return _write_many(Operation.DELETE)


def _write_one(operation: Operation) -> Response:
    query, body = load_query(ItemsV1Query, request.args), read_json_body()
    if len(body) > CHUNK_BYTES:
        raise TooLarge(f"An item may have at most {CHUNK_BYTES} bytes of JSON.")
    section = _section(_read(_ITEM, body), query)
    try:
        whole = read_items([Raw(body)], operation, section)
    except Invalid as refused:
        raise Invalid(*(_of_one(problem) for problem in refused.errors)) from None
    return _write(operation, whole, section, body, query)


def _write_many(operation: Operation) -> Response:
    query, body = load_query(ItemsV1Query, request.args), read_json_body()
    call = _read(_CALL, body)
    refuse_repeated(body)
    section = _section(call, query)
    whole = read_items(_read_list(bytes(call.items)), operation, section)
    return _write(operation, whole, section, body, query)


def _write(operation: Operation, whole: ItemEntries, section: str, body: bytes, query: dict[str, Any]) -> Response:
    max_entries = current_services().settings.max_entries
    if sum(whole.weights) > max_entries:
        raise Invalid(Problem(NAME, f"ensure this value has at most {max_entries} items and variations"))
    text, bounds = build_body(NAME, whole.entries)
    chunks = cut_into_chunks(text, bounds, whole.ids, None, weights=whole.weights)
    batch = Batch(
        kind=Kind.ITEMS,
        operation=operation,
        section=section,
        entries=len(whole.entries),
        bytes=len(body),
        chunks=len(chunks),
        on_missing=_on_missing(operation, force=query["force"]),
        force=query["force"],
        origin=origin(),
    )
    idempotency = read_idempotency_key(batch, body)
    refuse_failed(submit_and_wait(batch, chunks, idempotency=idempotency, wait_s=query["wait"]))
    return Response(status=204)


def _on_missing(operation: Operation, *, force: bool) -> OnMissing:
    """Decide what to do with an item that does not exist: a PATCH ignores it, a PUT creates it with ``force``."""
    if operation is Operation.AMEND:
        return OnMissing.IGNORE
    return OnMissing.CREATE if operation is Operation.MODIFY and force else OnMissing.FAIL


# -- bodies -----------------------------------------------------------------------------------------------------------


def _read(decoder: msgspec.json.Decoder[_Sent], body: bytes) -> _Sent:
    try:
        sent: _Sent = decode(decoder, body)
    except msgspec.ValidationError as error:
        unknown = UNKNOWN_MEMBER.search(str(error))
        raise Invalid(*problems({unknown[1]: [EXTRA]} if unknown else {"body": [NOT_A_DICT]})) from None
    return sent


def _section(sent: _SectionMembers | _ItemsCall, query: dict[str, Any]) -> str:
    """Read the section of a call from its body or query.  Raises Invalid if they name several."""
    members = {"section": sent.section, "autocomplete_section": sent.autocomplete_section}
    named = load_body(CallV1, {name: _text_or_other(raw) for name, raw in members.items() if raw})
    sections = {*named.values(), *([query["section"]] if query["section"] else ())}
    if len(sections) > 1:
        raise Invalid(Problem("section", SENT_TWICE))
    return str(sections.pop() if sections else "Products")


def _text_or_other(sent: Raw) -> str | object | None:
    text = text_of(sent)
    return None if bytes(sent) == b"null" else object() if text is None else text


def _read_list(sent: bytes) -> Sequence[Raw]:
    most = current_services().settings.max_entries
    if not sent.startswith(b"["):
        raise Invalid(Problem(NAME, {b"": REQUIRED, b"null": NULL}.get(sent, NOT_A_LIST)))
    items = list_up_to(sent, most)
    if items is None or not items:
        raise Invalid(Problem(NAME, str(count_problem(0 if items is not None else most + 1, most))))
    return items


def _of_one(problem: Problem) -> Problem:
    """Name a problem after its place in a body that is one item."""
    return Problem(problem.loc.removeprefix(f"{NAME}[0]").removeprefix("."), problem.msg)
