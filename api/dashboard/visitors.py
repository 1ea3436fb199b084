"""Who looks: the bearer of a token, or the operator.  A signed cookie remembers that, never the token itself."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import cast

from flask import current_app, g, session

from api.services import services
from shared.credentials import CATALOG_KEY, Credential, Scope, digest_of

#: Catalogs that the operator is shown at most; any other is reached by its key.
MOST_CATALOGS = 1000

OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who has signed in."""

    name: str
    #: None: the operator, who may see and change every catalog.
    credential: Credential | None

    def may_read(self, catalog_key: str) -> bool:
        if self.credential is None:
            return bool(CATALOG_KEY.fullmatch(catalog_key))
        return self.credential.allows(catalog_key, Scope.READ)

    def may_write(self, catalog_key: str) -> bool:
        return self.credential is None or self.credential.allows(catalog_key, Scope.READ_WRITE)

    def catalog_keys(self) -> list[str]:
        """List the catalogs to show, MOST_CATALOGS at most; the operator's are those that ever got a batch."""
        if self.credential is not None:
            return sorted(self.credential.scopes)[:MOST_CATALOGS]
        return sorted(services().backlog.all_known(most=MOST_CATALOGS))

    def only_catalog(self) -> str | None:
        """Name the one catalog of a token that is good for no other."""
        only = [] if self.credential is None else list(self.credential.scopes)
        return only[0] if len(only) == 1 else None


def sign_in(secret: str) -> bool:
    """Remember the bearer of a token, or the operator; False if the secret is nobody's."""
    password = services().settings.operator_password
    if password and hmac.compare_digest(secret.encode(), password.encode()):
        remembered = {"operator": _operator_mark(password)}
    elif services().credentials.find(secret):
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
    """Look up who the cookie says this is; whoever was revoked since is nobody."""
    password = services().settings.operator_password
    if password and hmac.compare_digest(session.get("operator", ""), _operator_mark(password)):
        return Visitor(OPERATOR, None)
    credential = services().credentials.find_digest(session.get("token", ""))
    return None if credential is None else Visitor(credential.name, credential)


def visitor() -> Visitor:
    """Who looks, once the request was let through."""
    return cast(Visitor, g.visitor)


def csrf_token() -> str:
    """The word that every form of this session sends along; made when there is none yet."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(16)
    return cast(str, session["csrf"])


def is_own_form(sent: str) -> bool:
    """Tell whether a form was ours: another site can make a browser send one, but cannot read the word."""
    return hmac.compare_digest(sent.encode(), csrf_token().encode())


def _operator_mark(password: str) -> str:
    """What a cookie says of the operator: of no use once the password has changed, and no way to guess it."""
    key = cast(bytes | str, current_app.secret_key)
    return hmac.new(key.encode() if isinstance(key, str) else key, password.encode(), hashlib.sha256).hexdigest()
