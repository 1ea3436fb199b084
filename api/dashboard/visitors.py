"""Visitors: the holder of a token, or the operator, remembered in a signed cookie without the token itself."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import cast

from flask import current_app, g, session

from api.monitor.overview import MOST_CATALOGS, all_catalogs
from api.services import current_services
from shared.credentials import CATALOG_KEY, Credential, Scope, digest_of
from shared.errors import TryAgain

OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in visitor."""

    name: str
    #: None: the operator, who may see and change every catalog.
    credential: Credential | None

    def may_read(self, catalog_key: str) -> bool:
        if self.credential is None:
            return bool(CATALOG_KEY.fullmatch(catalog_key))
        return self.credential.allows(catalog_key, Scope.READ)

    def may_write(self, catalog_key: str) -> bool:
        return self.credential is None or self.credential.allows(catalog_key, Scope.READ_WRITE)

    def may_manage(self, credential: Credential) -> bool:
        """Return whether the visitor may rotate and revoke a token: only with all of its rights, to read and write."""
        return all(map(self.may_write, credential.scopes))

    def may_rotate(self, credential: Credential) -> bool:
        """Return whether the visitor may have another in its place: only if it does not outlive the visitor's own."""
        own = self.credential
        return self.may_manage(credential) and (own is None or not credential.outlives(own))

    def catalog_keys(self) -> list[str]:
        """List the catalogs to look at, MOST_CATALOGS at most; the operator's are those that ever got a batch."""
        if self.credential is not None:
            return sorted(self.credential.scopes)[:MOST_CATALOGS]
        return all_catalogs(current_services())

    def left_out(self) -> int:
        """Count those beyond."""
        every = current_services().backlog.count_known() if self.credential is None else len(self.credential.scopes)
        return max(0, every - MOST_CATALOGS)

    def some_catalogs(self, most: int) -> list[str]:
        """List a few to choose from; of an operator none while the store is away, so that pages can say so."""
        if self.credential is not None:
            return sorted(self.credential.scopes)[:most]
        with contextlib.suppress(TryAgain):
            return sorted(current_services().backlog.all_known(most=most))
        return []

    def only_catalog(self) -> str | None:
        """Return the catalog of a token with only one."""
        only = [] if self.credential is None else list(self.credential.scopes)
        return only[0] if len(only) == 1 else None


def sign_in(secret: str) -> bool:
    """Sign in with a token or the operator's password; False if the secret is neither."""
    password = current_services().settings.operator_password
    if password and hmac.compare_digest(secret.encode(), password.encode()):
        remembered = {"operator": _operator_mark(password)}
    elif current_services().credentials.find(secret):
        remembered = {"token": digest_of(secret)}
    else:
        return False
    session.clear()
    session.permanent = True
    session.update(remembered, csrf=secrets.token_urlsafe(16))
    return True


def sign_out() -> None:
    session.clear()


def recognize() -> Visitor | None:
    """Return the visitor that the cookie names; None if revoked since."""
    password = current_services().settings.operator_password
    if password and hmac.compare_digest(session.get("operator", ""), _operator_mark(password)):
        return Visitor(OPERATOR, None)
    credential = current_services().credentials.find_digest(session.get("token", ""))
    return None if credential is None else Visitor(credential.name, credential)


def visitor() -> Visitor:
    """Return the visitor of the current request."""
    return cast(Visitor, g.visitor)


def csrf_token() -> str:
    """Return the CSRF token of this session, created if there is none yet."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(16)
    return cast(str, session["csrf"])


def is_own_form(sent: str) -> bool:
    """Return whether a form is ours: another site can make a browser send one, but cannot read the CSRF token."""
    return hmac.compare_digest(sent.encode(), csrf_token().encode())


def _operator_mark(password: str) -> str:
    """Return the operator's mark in a cookie: invalid once the password changes, and no help to guess it."""
    key = cast(bytes | str, current_app.secret_key)
    return hmac.new(key.encode() if isinstance(key, str) else key, password.encode(), hashlib.sha256).hexdigest()
