"""Who asks, and for which catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import g, request

from api.errors import Forbidden, Invalid, InvalidToken, Problem, UnknownKey
from api.services import services
from shared.credentials import CATALOG_KEY, Credential, Scope
from shared.model import Submitter

#: A client's own name, cut to this, is kept with its tasks.
CLIENT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """The bearer of a good token, on one catalog."""

    catalog_key: str
    credential: Credential

    def as_submitter(self) -> Submitter:
        args, client = request.args, request.environ.get("HTTP_USER_AGENT", "")
        # Asked first, since werkzeug makes and catches an exception for a parameter that is not there.
        if "c" in args:
            client = args["c"] or client
        return Submitter(self.credential.name, client[:CLIENT_LENGTH], request.remote_addr or "")


def authorize() -> None:
    """Find out who asks; refuse whoever may not.  Runs before every view of the API.

    A request without a key is told so first; where both the key and the token are bad, the key's message goes out.
    """
    catalog_key = request.args.get("key")
    if not catalog_key:
        raise Invalid(Problem("key", "field required"))
    credentials = services().credentials
    if not CATALOG_KEY.fullmatch(catalog_key) or not credentials.knows(catalog_key):
        raise UnknownKey
    credential = credentials.find(_token())
    if credential is None:
        raise InvalidToken
    if catalog_key not in credential.scopes:
        raise Forbidden(f"This auth_token does not give access to the key {catalog_key!r}.")
    scope = Scope.READ if request.method in ("GET", "HEAD") else Scope.READ_WRITE
    if not credential.allows(catalog_key, scope):
        raise Forbidden(f"This auth_token may only read: it lacks the scope 'rw' on the key {catalog_key!r}.")
    g.caller = Caller(catalog_key, credential)


def caller() -> Caller:
    """Who asks, once `authorize` let it through."""
    return cast(Caller, g.caller)


def _token() -> str:
    """Read the token: the user name of HTTP Basic, or a Bearer's."""
    sent = request.authorization
    if sent is None:
        return ""
    if sent.type == "basic":
        return sent.username or ""
    return (sent.token or "") if sent.type == "bearer" else ""
