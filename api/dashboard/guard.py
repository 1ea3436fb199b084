"""Access control, security headers and error pages of every view."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable

import structlog
from flask import Blueprint, Flask, Request, Response, g, redirect, render_template, request, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from api.dashboard.visitors import is_own_form, recognize, visitor
from api.errors import Forbidden, NotFound, Refused
from shared.clock import Clock
from shared.errors import StoreFull, TaskConflict, TaskNotFound, TryAgain

log = structlog.get_logger()

#: Allow only resources that we serve, no inline code, no framing.
SAFE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}

#: Views for those who are not signed in.
_OPEN = frozenset({"dashboard.get_login", "dashboard.post_login", "dashboard.static"})

#: Most bytes of a form.
FORM_BYTES = 64 * 1024

#: Failed sign-in attempts per address and minute.
ATTEMPTS = 10
#: Secrets of so many characters, and all that Sluice makes have more, are not guessed by trying: who is right gets in
#: beyond that too, or anybody behind the same address could keep an operator out.
UNGUESSABLE = 16
_MINUTE_MS = 60_000
#: Most addresses remembered; beyond it all are forgotten.
_ADDRESSES = 10_000


class Cookies(SecureCookieSessionInterface):
    """Sessions in a signed cookie, restricted to TLS if the page itself came over TLS."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        # The API has none, and is asked often.
        if not request.path.startswith(app.config["SESSION_COOKIE_PATH"]):
            return None
        return super().open_session(app, request)

    def get_cookie_secure(self, app: object) -> bool:
        return request.is_secure


class Attempts:
    """Limits failed sign-in attempts, per process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._failed: dict[tuple[str, int], int] = {}

    def may_try(self, address: str) -> bool:
        with self._guard:
            return self._failed.get(self._now(address), 0) < ATTEMPTS

    def failed(self, address: str) -> None:
        with self._guard:
            if len(self._failed) >= _ADDRESSES:
                self._failed.clear()
            now = self._now(address)
            self._failed[now] = self._failed.get(now, 0) + 1

    def _now(self, address: str) -> tuple[str, int]:
        return address, self._clock() // _MINUTE_MS


def network_of(address: str) -> str:
    """Name who is one client: an IPv4 address, or the /64 that an IPv6 client has for itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))


def register(blueprint: Blueprint) -> None:
    """Add access control, headers and error pages to a blueprint."""
    blueprint.before_request(_let_in)
    blueprint.after_request(_make_safe)
    handlers: dict[type[Exception], Callable[..., tuple[str, int]]] = {
        Refused: lambda error: _page(error.status, error.message),
        TaskNotFound: lambda error: _page(404, str(error)),
        TaskConflict: lambda error: _page(409, str(error)),
        TryAgain: _store_away,
        HTTPException: lambda error: _page(error.code or 500, error.description or error.name),
    }
    for kind, handler in handlers.items():
        blueprint.register_error_handler(kind, handler)


def readable(catalog_key: str) -> str:
    """Return the key if the visitor may read that catalog; raises NotFound otherwise."""
    if not visitor().may_read(catalog_key):
        raise NotFound(f"There is no catalog {catalog_key!r}, or you may not see it.")
    return catalog_key


def writable(catalog_key: str) -> str:
    """Return the key if the visitor may change that catalog; raises Forbidden otherwise."""
    if not visitor().may_write(readable(catalog_key)):
        raise Forbidden("You may read this catalog but not change it.")
    return catalog_key


def _let_in() -> AnyResponse | None:
    request.max_content_length = FORM_BYTES
    if request.method == "POST" and not is_own_form(request.form.get("csrf", "")):
        raise Forbidden("This form has expired. Please go back, reload the page and try again.")
    if request.endpoint in _OPEN:
        return None
    found = recognize()
    if found is None:
        # Only a GET can be gone on with after signing in.
        after = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("dashboard.get_login", next=after))
    g.visitor = found
    return None


def _make_safe(response: Response) -> Response:
    response.headers.update(SAFE_HEADERS)
    if request.endpoint == "dashboard.static":
        response.cache_control.no_cache = None
        response.cache_control.max_age = 3600
    else:
        response.cache_control.no_store = True
    return response


def _store_away(error: TryAgain) -> tuple[str, int]:
    log.warning("store refused", action="store_refused", error=f"{type(error).__name__}: {error}")
    full = isinstance(error, StoreFull)
    return _page(503, "The store is full." if full else "The store does not answer at the moment. Its data is safe.")


def _page(status: int, message: str) -> tuple[str, int]:
    return render_template("error.html", status=status, message=message), status
