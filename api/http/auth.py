"""Authenticate the caller and its catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import Request, g

from api.errors import Forbidden, Invalid, InvalidToken, Problem, UnknownKey
from api.http.current import current_request
from api.schemas.parameters import only_value
from api.services import current_services
from shared.credentials import CATALOG_KEY, Credential, Scope
from shared.origin import Submitter

#: Most characters of a client's name, which is kept with its tasks.
CLIENT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated caller, on one catalog."""

    catalog_key: str
    credential: Credential

    def as_submitter(self) -> Submitter:
        request = current_request()
        args, client = request.args, request.environ.get("HTTP_USER_AGENT", "")
        # Asked first, since werkzeug makes and catches an exception for a parameter that is not there.
        if "c" in args:
            client = args["c"] or client
        return Submitter(self.credential.name, client[:CLIENT_LENGTH], request.remote_addr or "")


def authorize() -> None:
    """Authenticate the caller and check its rights; writes need the scope ``rw``.  Runs before views of the API."""
    _authorize(Scope.READ if current_request().method in ("GET", "HEAD") else Scope.READ_WRITE)


def authorize_reader() -> None:
    """Authenticate the caller, who needs no more than the scope ``r``."""
    _authorize(Scope.READ)


def _authorize(scope: Scope) -> None:
    """Find the caller and its catalog.

    A missing key is reported first; if both the key and the token are bad, the message is the key's.
    """
    request = current_request()
    catalog_key = only_value(request.args, "key")
    if not catalog_key:
        raise Invalid(Problem("key", "field required"))
    services, token = current_services(), _token(request)
    credentials, doorbell = services.credentials, services.doorbell
    if scope is Scope.READ_WRITE and doorbell.is_quiet and credentials.allowed(token, catalog_key, scope):
        # A worker wakes up while it is looked up whether that still holds.
        doorbell.ring_ahead(catalog_key)
    if not CATALOG_KEY.fullmatch(catalog_key) or not credentials.knows(catalog_key):
        raise UnknownKey
    credential = credentials.find(token)
    if credential is None:
        raise InvalidToken
    if catalog_key not in credential.scopes:
        raise Forbidden(f"This auth_token does not give access to the key {catalog_key!r}.")
    g.token_name = credential.name
    if not credential.allows(catalog_key, scope):
        raise Forbidden(f"This auth_token may only read: it lacks the scope 'rw' on the key {catalog_key!r}.")
    g.caller = Caller(catalog_key, credential)


def caller() -> Caller:
    """Return the caller, after `authorize`."""
    return cast(Caller, g.caller)


def _token(request: Request) -> str:
    """Read the token: the user name of HTTP Basic, or a Bearer token."""
    sent = request.authorization
    if sent is None:
        return ""
    if sent.type == "basic":
        return sent.username or ""
    return (sent.token or "") if sent.type == "bearer" else ""
