"""The *Tokens* page: which tokens may read and write a catalog; create, rotate and revoke them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any, cast

import structlog
from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.dashboard.guard import readable, writable
from api.dashboard.visitors import visitor
from api.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from api.services import current_services
from shared.credential_changes import CredentialAct, CredentialChange
from shared.credentials import BAD_NAME, NAME, Credential, Scope, digest_of, new_token
from shared.errors import CredentialEnded, TryAgain

log = structlog.get_logger()

HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS
#: Hours that an old token may stay good, as the form offers them.
OVERLAPS = {"0": "at once", "1": "in an hour", "24": "in a day", "168": "in a week"}

#: Days for which a new token may be good, as the form offers them; 0: for ever.
LIVES = {"0": "never", "1": "in a day", "7": "in a week", "30": "in 30 days", "90": "in 90 days", "365": "in a year"}


def register(blueprint: Blueprint) -> None:
    tokens = "/c/<catalog_key>/tokens"
    blueprint.add_url_rule(tokens, "get_tokens", get_tokens, methods=["GET"])
    blueprint.add_url_rule(tokens, "post_token", post_token, methods=["POST"])
    blueprint.add_url_rule(f"{tokens}/<credential_id>/rotate", "post_rotate", post_rotate, methods=["POST"])
    blueprint.add_url_rule(f"{tokens}/<credential_id>/revoke", "post_revoke", post_revoke, methods=["POST"])


def get_tokens(catalog_key: str) -> str:
    return _page(readable(catalog_key))


def post_token(catalog_key: str) -> str:
    """Create a token and show it, once.  Only the operator may: what a token made would outlive its revocation."""
    readable(catalog_key)
    if visitor().credential is not None:
        raise Forbidden("Only the operator may create tokens.")
    name, scope, days = (request.form.get(field, "") for field in ("name", "scope", "days"))
    problems = [
        *([] if NAME.fullmatch(name) else [Problem("name", BAD_NAME)]),
        *([] if scope in list(Scope) else [Problem("scope", f"one of {', '.join(Scope)}")]),
        *([] if days in LIVES else [Problem("days", f"one of {', '.join(LIVES)}")]),
    ]
    if problems:
        raise Invalid(*problems)
    services, token = current_services(), _token_of_form()
    if before := _made_before(catalog_key, token):
        return _made(catalog_key, token, before)
    now_ms = services.clock()
    made = Credential(
        name, digest_of(token), {catalog_key: Scope(scope)}, created_ms=now_ms,
        expires_ms=now_ms + int(days) * DAY_MS if int(days) else None,
    )  # fmt: skip
    services.credentials.store(made)
    _note(CredentialAct.CREATED, made)
    return _made(catalog_key, token, made)


def post_rotate(catalog_key: str, credential_id: str) -> str:
    """Show the new token, once: it is nowhere afterwards."""
    credential = _manageable(catalog_key, credential_id)
    hours = request.form.get("overlap", "24")
    if hours not in OVERLAPS:
        raise Invalid(Problem("overlap", f"one of {', '.join(OVERLAPS)}"))
    if not visitor().may_rotate(credential):
        raise Forbidden("This token is good for longer than yours: an operator has to rotate it.")
    services, token = current_services(), _token_of_form()
    if before := _made_before(catalog_key, token):
        return _made(catalog_key, token, before, rotated=credential)
    try:
        new = services.credentials.rotate(
            credential, digest_of(token), now_ms=services.clock(), overlap_ms=int(hours) * HOUR_MS
        )
    except CredentialEnded as error:
        raise Conflict(f"There is nothing to rotate: {error}.") from error
    _note(CredentialAct.ROTATED, credential, new.id)
    return _made(catalog_key, token, new, rotated=credential)


def post_revoke(catalog_key: str, credential_id: str) -> AnyResponse:
    credential = _manageable(catalog_key, credential_id)
    current_services().credentials.revoke(credential.id)
    _note(CredentialAct.REVOKED, credential)
    return redirect(url_for("dashboard.get_tokens", catalog_key=catalog_key), 303)


def _made(catalog_key: str, token: str, made: Credential, *, rotated: Credential | None = None) -> str:
    """Show a new token, with the list of all if the store still answers."""
    new = {"token": token, "made": made, "rotated": rotated}
    try:
        return _page(catalog_key, **new)
    except TryAgain:
        return render_template("token.html", catalog_key=catalog_key, page="tokens", **new)


def _page(catalog_key: str, **new: Any) -> str:
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
        lives=LIVES,
        nonce=secrets.token_urlsafe(24),
        is_operator=visitor().credential is None,
        **new,
    )


def _token_of_form() -> str:
    """Make the token that a form asks for: one that nobody can guess, and the same if the form is sent twice."""
    nonce = request.form.get("nonce")
    if not nonce:
        return new_token()
    key = cast(bytes | str, current_app.secret_key)
    meant = sorted((name, value) for name, value in request.form.items() if name != "csrf")
    mac = hmac.new(key.encode() if isinstance(key, str) else key, f"{request.path} {meant}".encode(), hashlib.sha256)
    return new_token(mac.digest())


def _made_before(catalog_key: str, token: str) -> Credential | None:
    """Find what the same form made before.  Raises Conflict if that was revoked: it stays so."""
    digest = digest_of(token)
    stored = next((each for each in current_services().credentials.all() if each.digest == digest), None)
    changes = current_services().credential_changes.of(catalog_key)
    if stored is None and any(digest.startswith(change.new_id or change.credential_id) for change in changes):
        raise Conflict("This form was sent before, and the token that it made was revoked since.")
    return stored


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
