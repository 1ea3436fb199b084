"""Note refused writes with who sent them and why, a sample of them where there are many."""

from __future__ import annotations

import contextlib
import threading

from flask import Flask, Response, current_app, g, request

from api.http.request_ids import request_id
from api.services import Services, current_services
from shared.credentials import CATALOG_KEY
from shared.errors import TryAgain
from shared.telemetry.refused_writes import RefusedWrite

#: Statuses of refusals that their sender can do something about.
NOTED = frozenset({400, 401, 403, 404, 409, 413, 415, 429})
#: Most refused writes that one process notes in a minute: of one catalog, and of all.
MOST_OF_CATALOG = 30
MOST_OF_ALL = 300
_MINUTE_MS = 60_000

_EXTENSION = "sluice.refused_writes"


class Sample:
    """Decides which refused writes are noted, and counts the others.  Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._minute = 0
        #: Of this minute, by catalog.
        self._noted: dict[str, int] = {}
        self._left_out: dict[str, int] = {}

    def take(self, catalog_key: str, now_ms: int) -> int | None:
        """Return how many were left out since the last one that was noted; None: leave out this one too."""
        with self._guard:
            if now_ms // _MINUTE_MS != self._minute:
                self._minute = now_ms // _MINUTE_MS
                self._noted.clear()
            noted = self._noted.get(catalog_key, 0)
            if noted >= MOST_OF_CATALOG or sum(self._noted.values()) >= MOST_OF_ALL:
                self._left_out[catalog_key] = self._left_out.get(catalog_key, 0) + 1
                return None
            self._noted[catalog_key] = noted + 1
            return self._left_out.pop(catalog_key, 0)


def register(app: Flask) -> None:
    """Note what the app refuses of the API's writes."""

    @app.after_request
    def note(response: Response) -> Response:
        if response.status_code in NOTED and request.method not in ("GET", "HEAD", "OPTIONS"):
            # What cannot be noted now, the store being away or full, is refused all the same.
            with contextlib.suppress(TryAgain):
                _note(current_services(), current_app.extensions[_EXTENSION], response)
        return response


def begin(app: Flask) -> None:
    """Begin with a sample of which nothing is noted yet."""
    app.extensions[_EXTENSION] = Sample()


def _note(services: Services, sample: Sample, response: Response) -> None:
    catalog_key = request.args.get("key") or request.args.get("autocomplete_key") or ""
    if not CATALOG_KEY.fullmatch(catalog_key) or not services.credentials.knows(catalog_key) or not response.is_json:
        return
    left_out = sample.take(catalog_key, services.clock())
    if left_out is None:
        return
    services.refused_writes(catalog_key).add(
        RefusedWrite(
            at_ms=services.clock(),
            status=response.status_code,
            method=request.method,
            path=request.path,
            message=response.get_json()["message"],
            token_name=g.get("token_name", ""),
            client=request.args.get("c") or request.headers.get("User-Agent", ""),
            address=request.remote_addr or "",
            request_id=request_id(),
            left_out=left_out,
        )
    )
