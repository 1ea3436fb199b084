"""The ingress over a rig's store, asked through Flask's test client by the bearer of a good token."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from api.app import configure, create_routes
from api.services import EXTENSION
from shared.settings import Settings
from shared.telemetry import spans
from tests.support.by_hand import SilentBell
from tests.support.rig import ACME, Rig

TOKEN = "tok-acme"
READER_TOKEN = "tok-reader"
#: A catalog that neither token is good for.
OTHER = "other"
CREDENTIALS = f"{ACME}:{TOKEN},{ACME}:{READER_TOKEN}:r,{OTHER}:tok-other"


def basic(token: str) -> str:
    """An Authorization header as the official clients send it."""
    return "Basic " + base64.b64encode(f"{token}:".encode()).decode()


@cache
def _all_routes(*, are_traced: bool) -> Flask:
    """The routes of all: to compile a hundred takes longer than most tests."""
    routes = create_routes()
    assert routes.jinja_env  # is shared with those that are made from it
    return routes


def _routes(*, are_traced: bool) -> Flask:
    """Make an app of its own with these routes."""
    app = copy.copy(_all_routes(are_traced=are_traced))
    app.config, app.extensions = copy.copy(app.config), dict(app.extensions)
    return app


class ReachableBell(SilentBell):
    """A silent bell with a broker behind it."""

    def reachable(self) -> bool:
        return True


class Ingress:
    """One ingress process with the settings of its rig."""

    def __init__(self, rig: Rig, store_url: str) -> None:
        self.rig = rig
        settings: Settings = replace(rig.settings, redis_url=store_url, credentials=CREDENTIALS)
        self.app = _routes(are_traced=spans.are_on())
        configure(self.app, settings, clock=rig.clock)
        self.doorbell = ReachableBell()
        self.app.extensions[EXTENSION] = replace(self.app.extensions[EXTENSION], doorbell=self.doorbell)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        token: str = TOKEN,
        key: str | list[str] = ACME,
        **query: Any,
    ) -> TestResponse:
        """Send a request; a body that is not bytes goes as JSON."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = {"Authorization": basic(token), **({"Content-Type": "application/json"} if data else {})}
        with self.app.test_client() as client:
            return client.open(
                path, method=method, query_string={"key": key, **query}, data=data, headers={**given, **(headers or {})}
            )

    def get(self, path: str, **query: Any) -> Any:
        """Read what must be there."""
        answer = self.send("GET", path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json

    def write(self, method: str, path: str, body: Any, **how: Any) -> int:
        """Send a write that must be accepted; returns its task id."""
        answer = self.send(method, path, body, **how)
        assert answer.status_code == 200, answer.text
        return int(answer.json["task_id"])

    @contextlib.contextmanager
    def draining(self) -> Iterator[None]:
        """Apply what comes in, as it comes in."""
        stop = threading.Event()

        def drain() -> None:
            while not stop.wait(0.005):
                self.rig.drain()

        thread = threading.Thread(target=drain)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
