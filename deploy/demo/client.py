"""The demo's client: plain calls with an HTTP library."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

from deploy.demo.catalogue import DemoBatch, Entry
from shared.waiting import wait_until

#: Seconds to wait for one answer.
ANSWER_TIMEOUT_S = 60
#: Seconds to go on asking a service that is busy.
BUSY_TIMEOUT_S = 120


class UploadRefused(Exception):
    """The service answered with an error that trying again would not mend."""


class Client:
    """One connection, one catalog."""

    def __init__(self, url: str, catalog_key: str, token: str) -> None:
        address = urlsplit(url)
        assert address.hostname
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=ANSWER_TIMEOUT_S)
        self._catalog_key = catalog_key
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(f"{token}:".encode()).decode(),
            "Content-Type": "application/json",
        }

    def send(self, batch: DemoBatch, *, idempotency_key: str = "") -> int:
        """Send a batch and return its task id; when the queue is full, wait as long as the service says.

        Sent again under the same ``idempotency_key`` it is not done again.
        """
        path, body = f"/v2/{batch.kind}", {batch.kind: batch.entries}
        answer = self._call(batch.method, path, body=body, idempotency_key=idempotency_key)
        return int(answer["task_id"])

    def status_counts(self) -> dict[str, int]:
        """Count all tasks by status."""
        counts: dict[str, int] = self._call("GET", "/v1/tasks", num_results_per_page=1)["status_counts"]
        return counts

    def tasks(self) -> Iterator[dict[str, Any]]:
        """List all tasks, newest first."""
        page = 1
        while tasks := self._call("GET", "/v1/tasks", num_results_per_page=100, page=page)["tasks"]:
            yield from tasks
            page += 1

    def entries(self, kind: str) -> Iterator[Entry]:
        """List all items or variations, without the time of their last change."""
        cursor: dict[str, Any] = {}
        while True:
            answer = self._call("GET", f"/v2/{kind}", num_results_per_page=1000, **cursor)
            for entry in answer[kind]:
                entry.pop("updated_at")
                yield entry
            if not answer.get("next_page_cursor"):
                return
            cursor = {"next_page_cursor": answer["next_page_cursor"]}

    def _call(self, method: str, path: str, *, body: Any = None, idempotency_key: str = "", **query: str | int) -> Any:
        target = f"{path}?{urlencode({'key': self._catalog_key, **query})}"
        headers = self._headers | ({"Idempotency-Key": idempotency_key} if idempotency_key else {})
        payload = None if body is None else json.dumps(body).encode()
        end = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            self._connection.request(method, target, payload, headers)
            answer = self._connection.getresponse()
            text = answer.read()
            if answer.status == 200:
                return json.loads(text)
            retry_after = answer.headers.get("Retry-After")
            if retry_after is None or time.monotonic() > end:
                raise UploadRefused(f"{method} {path}: {answer.status} {text[:500].decode(errors='replace')}")
            _pause(float(retry_after))


def _pause(seconds: float) -> None:
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, "the pause ends", timeout_s=seconds + 1)
