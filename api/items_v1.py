"""``/v1/item`` and ``/v1/batch_items``: items with their variations, written while the caller waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from flask import Blueprint, Response, request
from msgspec import Raw

from api import described_items_v1
from api.auth import authorize
from api.batches import CHUNK_BYTES, cut
from api.bodies import read_json_body
from api.describing import describe
from api.entry_schemas import CallV1
from api.errors import Invalid, Problem, TooLarge
from api.fields import EXTRA, NOT_A_DICT, NOT_A_LIST, NULL, REQUIRED
from api.idempotency import read_idempotency_key
from api.json_bodies import UNKNOWN_MEMBER, decode, list_up_to, text_of
from api.made_bodies import make_body
from api.schemas import ItemsV1Query, load_body, load_query, problems
from api.sent import count_problem
from api.services import services
from api.submitting import origin
from api.synchronous import refuse_failed, submit_and_wait
from api.whole_items import NAME, WholeItems, read_items
from shared.model import Batch, Kind, OnMissing, Operation

blueprint = Blueprint("items_v1", __name__, url_prefix="/v1")
blueprint.before_request(authorize)


class _Item(msgspec.Struct):
    section: Raw = Raw()


class _Call(msgspec.Struct, forbid_unknown_fields=True):
    items: Raw = Raw()
    section: Raw = Raw()


_Sent = TypeVar("_Sent", _Item, _Call)
_ITEM = msgspec.json.Decoder(_Item)
_CALL = msgspec.json.Decoder(_Call)


@blueprint.post("/item")
@describe(described_items_v1.POST_ONE)
def post_one() -> Response:
    return _write_one(Operation.CREATE)


@blueprint.put("/item")
@describe(described_items_v1.PUT_ONE)
def put_one() -> Response:
    return _write_one(Operation.MODIFY)


@blueprint.patch("/item")
@describe(described_items_v1.PATCH_ONE)
def patch_one() -> Response:
    return _write_one(Operation.AMEND)


@blueprint.delete("/item")
@describe(described_items_v1.DELETE_ONE)
def delete_one() -> Response:
    return _write_one(Operation.DELETE)


@blueprint.post("/batch_items")
@describe(described_items_v1.POST_MANY)
def post_many() -> Response:
    return _write_many(Operation.CREATE)


@blueprint.put("/batch_items")
@describe(described_items_v1.PUT_MANY)
def put_many() -> Response:
    return _write_many(Operation.MODIFY)


@blueprint.delete("/batch_items")
@describe(described_items_v1.DELETE_MANY)
def delete_many() -> Response:
    return _write_many(Operation.DELETE)


def _write_one(operation: Operation) -> Response:
    query, body = load_query(ItemsV1Query, request.args), read_json_body()
    if len(body) > CHUNK_BYTES:
        raise TooLarge(f"An item may have at most {CHUNK_BYTES} bytes of JSON.")
    section = _section(_read(_ITEM, body).section, query)
    try:
        whole = read_items([Raw(body)], operation, section)
    except Invalid as refused:
        raise Invalid(*(_of_one(problem) for problem in refused.errors)) from None
    return _write(operation, whole, section, body, query)


def _write_many(operation: Operation) -> Response:
    query, body = load_query(ItemsV1Query, request.args), read_json_body()
    call = _read(_CALL, body)
    section = _section(call.section, query)
    whole = read_items(_read_list(bytes(call.items)), operation, section)
    return _write(operation, whole, section, body, query)


def _write(operation: Operation, whole: WholeItems, section: str, body: bytes, query: dict[str, Any]) -> Response:
    max_entries = services().settings.max_entries
    if sum(whole.weights) > max_entries:
        raise Invalid(Problem(NAME, f"ensure this value has at most {max_entries} items and variations"))
    text, bounds = make_body(NAME, whole.entries)
    chunks = cut(text, bounds, whole.ids, None, weights=whole.weights)
    batch = Batch(
        kind=Kind.ITEMS,
        operation=operation,
        section=section,
        entries=len(whole.entries),
        bytes=len(body),
        chunks=len(chunks),
        on_missing=_on_missing(operation, force=query["force"]),
        force=query["force"],
        **origin(),
    )
    idempotency = read_idempotency_key(batch, body)
    refuse_failed(submit_and_wait(batch, chunks, idempotency=idempotency, wait_s=query["wait"]))
    return Response(status=204)


def _on_missing(operation: Operation, *, force: bool) -> OnMissing:
    """Say what becomes of an item that is not there: a PATCH does nothing with it, a PUT makes it if forced to."""
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


def _section(sent: Raw, query: dict[str, Any]) -> str:
    """Tell the section of a call: the body's, or else that of the query."""
    if not sent:
        return str(query["section"])
    text = text_of(sent)
    section = None if bytes(sent) == b"null" else object() if text is None else text
    return str(load_body(CallV1, {"section": section})["section"])


def _read_list(sent: bytes) -> Sequence[Raw]:
    most = services().settings.max_entries
    if not sent.startswith(b"["):
        raise Invalid(Problem(NAME, {b"": REQUIRED, b"null": NULL}.get(sent, NOT_A_LIST)))
    items = list_up_to(sent, most)
    if items is None or not items:
        raise Invalid(Problem(NAME, str(count_problem(0 if items is not None else most + 1, most))))
    return items


def _of_one(problem: Problem) -> Problem:
    """Name a problem after its place in a body that is one item."""
    return Problem(problem.loc.removeprefix(f"{NAME}[0]").removeprefix("."), problem.msg)
