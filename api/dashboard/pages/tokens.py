"""The *Tokens* page: which tokens may read and write a catalog; rotate and revoke them."""

from __future__ import annotations

import structlog
from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.dashboard.guard import readable, writable
from api.dashboard.visitors import visitor
from api.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from api.services import current_services
from shared.credential_changes import CredentialAct, CredentialChange
from shared.credentials import Credential, digest_of, new_token
from shared.errors import CredentialEnded, TryAgain

log = structlog.get_logger()

HOUR_MS = 3600 * 1000
#: Hours that an old token may stay good, as the form offers them.
OVERLAPS = {"0": "at once", "1": "in an hour", "24": "in a day", "168": "in a week"}


def register(blueprint: Blueprint) -> None:
    tokens = "/c/<catalog_key>/tokens"
    blueprint.add_url_rule(tokens, "get_tokens", get_tokens, methods=["GET"])
    blueprint.add_url_rule(f"{tokens}/<credential_id>/rotate", "post_rotate", post_rotate, methods=["POST"])
    blueprint.add_url_rule(f"{tokens}/<credential_id>/revoke", "post_revoke", post_revoke, methods=["POST"])


def get_tokens(catalog_key: str) -> str:
    return _page(readable(catalog_key))


def post_rotate(catalog_key: str, credential_id: str) -> str:
    """Show the new token, once: it is nowhere afterwards."""
    credential = _manageable(catalog_key, credential_id)
    hours = request.form.get("overlap", "24")
    if hours not in OVERLAPS:
        raise Invalid(Problem("overlap", f"one of {', '.join(OVERLAPS)}"))
    if not visitor().may_rotate(credential):
        raise Forbidden("This token is good for longer than yours: an operator has to rotate it.")
    services, token = current_services(), new_token()
    try:
        new = services.credentials.rotate(
            credential, digest_of(token), now_ms=services.clock(), overlap_ms=int(hours) * HOUR_MS
        )
    except CredentialEnded as error:
        raise Conflict(f"There is nothing to rotate: {error}.") from error
    _note(CredentialAct.ROTATED, credential, new.id)
    try:
        return _page(catalog_key, token=token, rotated=credential)
    except TryAgain:
        return render_template("token.html", catalog_key=catalog_key, page="tokens", token=token, rotated=credential)


def post_revoke(catalog_key: str, credential_id: str) -> AnyResponse:
    credential = _manageable(catalog_key, credential_id)
    current_services().credentials.revoke(credential.id)
    _note(CredentialAct.REVOKED, credential)
    return redirect(url_for("dashboard.get_tokens", catalog_key=catalog_key), 303)


def _page(catalog_key: str, *, token: str = "", rotated: Credential | None = None) -> str:
    services = current_services()
    return render_template(
        "tokens.html",
        catalog_key=catalog_key,
        page="tokens",
        stored=[each for each in services.credentials.all() if catalog_key in each.scopes],
        fixed=[each for each in services.credentials.fixed() if catalog_key in each.scopes],
        used=services.credentials.last_used(),
        changes=services.credential_changes.of(catalog_key),
        now_ms=services.clock(),
        overlaps=OVERLAPS,
        token=token,
        rotated=rotated,
    )


def _manageable(catalog_key: str, credential_id: str) -> Credential:
    """Find a stored token that the visitor may rotate and revoke."""
    stored = current_services().credentials.find_stored(credential_id)
    found = [each for each in stored if each.id == credential_id and writable(catalog_key) in each.scopes]
    if not found:
        raise NotFound(f"There is no stored token {credential_id} of this catalog, or no longer.")
    if not visitor().may_manage(found[0]):
        raise Forbidden("This token may do more than yours: an operator has to change it.")
    return found[0]


def _note(act: CredentialAct, credential: Credential, new_id: str = "") -> None:
    """Log a change and note it for the page; it stays made if that fails."""
    services, by = current_services(), visitor().name
    log.warning(
        f"token {act}", action="credentials", credential=credential.id, name=credential.name, by=by, new=new_id,
        address=request.remote_addr,
    )  # fmt: skip
    try:
        services.credential_changes.note(
            CredentialChange(
                services.clock(), act, credential.id, credential.name, by, tuple(sorted(credential.scopes)), new_id
            )
        )
    except TryAgain as error:
        log.error("change of a token not noted", action="credentials", credential=credential.id, error=str(error))
