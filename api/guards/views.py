"""``/v1/guards``: the rules for the entries of a kind in a section."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Blueprint, Response, jsonify, request

from api.entries.json_body import parse_json
from api.errors import Invalid, NotFound, Problem
from api.guards.docs import CHANGES, LIST, describe_get, describe_put, describe_remove, query_of
from api.guards.schemas import RulesSchema
from api.http.auth import authorize, caller
from api.http.bodies import read_json_body
from api.http.idempotency import note_repeat, read_idempotency_key
from api.openapi.describe import describe
from api.schemas.base import load_body, load_query
from api.services import current_services
from shared.clock import iso
from shared.guards.guard_records import RULES_BYTES, Guard, Guards, TooManyGuards
from shared.model import NO_SECTION, Kind

log = structlog.get_logger()

blueprint = Blueprint("guards", __name__, url_prefix="/v1/guards")
blueprint.before_request(authorize)


@blueprint.get("")
@describe(LIST)
def get_list() -> Response:
    return _listed()


@blueprint.get("/changes")
@describe(CHANGES)
def get_changes() -> Response:
    return jsonify(changes=list(map(_shown, _guards().history())))


def _add_routes(kind: Kind) -> None:
    path = f"/{kind}"

    @blueprint.get(path, endpoint=f"get_{kind}")
    @describe(describe_get(kind))
    def get() -> Response:
        section = _section(kind)
        guard = _guards().get(kind, section)
        if guard is None:
            raise NotFound(f"there is no guard for the {kind.many}" + (f" in section {section!r}" if section else ""))
        return jsonify(_shown(guard))

    @blueprint.put(path, endpoint=f"put_{kind}")
    @describe(describe_put(kind))
    def put() -> Response:
        section, rules = _section(kind), parse_json(read_json_body())
        load_body(RulesSchema, rules)
        services, who = current_services(), caller().credential.name
        services.admit(caller().catalog_key, RULES_BYTES)
        try:
            guard, repeated = _guards().set_once(
                kind,
                section,
                rules,
                who=who,
                now_ms=services.clock(),
                idempotency=read_idempotency_key({"section": section, "rules": rules}),
            )
        except TooManyGuards as problem:
            raise Invalid(Problem("body", str(problem))) from None
        note_repeat(repeated)
        _record("guard set", kind, section, version=guard.version)
        return jsonify(_shown(guard))

    @blueprint.delete(path, endpoint=f"delete_{kind}")
    @describe(describe_remove(kind))
    def delete() -> Response:
        """Remove a guard; if there is none, that is no error, as with entries."""
        section, who, now_ms = _section(kind), caller().credential.name, current_services().clock()
        idempotency = read_idempotency_key({"section": section})
        removed, repeated = _guards().remove(kind, section, who=who, now_ms=now_ms, idempotency=idempotency)
        note_repeat(repeated)
        if removed and not repeated:
            _record("guard removed", kind, section)
        return _listed()


for one in Kind:
    _add_routes(one)


def _guards() -> Guards:
    return current_services().guards(caller().catalog_key)


def _listed() -> Response:
    return jsonify(guards=list(map(_shown, _guards().all())))


def _section(kind: Kind) -> str:
    query = load_query(query_of(kind), request.args)
    return NO_SECTION if kind is Kind.ITEM_GROUPS else str(query["section"])


def _record(event: str, kind: Kind, section: str, **facts: int) -> None:
    who = caller()
    log.info(
        event,
        action="guard",
        catalog_key=who.catalog_key,
        kind=kind,
        section=section,
        who=who.credential.name,
        **facts,
    )


def _shown(guard: Guard) -> dict[str, Any]:
    return {
        "kind": guard.kind,
        **({"section": guard.section} if guard.section else {}),
        "version": guard.version,
        "changed_at": iso(guard.changed_ms),
        "changed_by": guard.changed_by,
        "rules": guard.rules,
    }
