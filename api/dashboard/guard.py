"""What surrounds every view: who may look, headers, errors as pages."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Blueprint, Flask, Request, Response, g, redirect, render_template, request, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from api.dashboard.visitors import is_own_form, recognize, visitor
from api.errors import Forbidden, NotFound, Refused
from shared.clock import Clock
from shared.errors import StoreFull, TaskConflict, TaskNotFound, TryAgain

#: Only what we serve ourselves, nothing written into the page, and no frame around it.
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

#: Failed attempts to sign in that one address has in a minute.
ATTEMPTS = 10
_MINUTE_MS = 60_000
#: Addresses that are remembered; beyond it all are forgotten.
_ADDRESSES = 10_000


class Cookies(SecureCookieSessionInterface):
    """Sessions in a signed cookie that goes over TLS only where the page itself came so."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        # The API has none, and is asked often.
        if not request.path.startswith(app.config["SESSION_COOKIE_PATH"]):
            return None
        return super().open_session(app, request)

    def get_cookie_secure(self, app: object) -> bool:
        return request.is_secure


class Attempts:
    """Counts failed attempts to sign in, in this process, so that nobody guesses for long."""

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


def register(blueprint: Blueprint) -> None:
    """Put everything around the views of a blueprint."""
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
    """Answer the key itself, once it is sure that the visitor may see that catalog."""
    if not visitor().may_read(catalog_key):
        raise NotFound(f"There is no catalog {catalog_key!r}, or it is not yours to see.")
    return catalog_key


def writable(catalog_key: str) -> str:
    """Answer the key itself, once it is sure that the visitor may change that catalog."""
    if not visitor().may_write(readable(catalog_key)):
        raise Forbidden("You may look at this catalog, not change it.")
    return catalog_key


def _let_in() -> AnyResponse | None:
    if request.method == "POST" and not is_own_form(request.form.get("csrf", "")):
        raise Forbidden("This form is too old, or was not ours. Please go back, reload the page and try again.")
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
    full = isinstance(error, StoreFull)
    return _page(503, "The store is full." if full else "The store does not answer just now. What it holds is safe.")


def _page(status: int, message: str) -> tuple[str, int]:
    return render_template("error.html", status=status, message=message), status
