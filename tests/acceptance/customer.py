"""A customer: one catalog over HTTP, and a journal of what was accepted, for the laws."""

from __future__ import annotations

import base64
import http.client
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from shared.waiting import wait_until
from tests.support.batches import Entry, entry_bytes
from tests.support.laws import NO_SECTION, Accepted, SeenTask, check_laws

#: Seconds an answer may take before a test gives up on it.
ANSWER_TIMEOUT_S = 30
OPERATIONS = {"PUT": "put", "PATCH": "patch", "DELETE": "delete"}

_UPDATED_AT = re.compile(rb',"updated_at":"[0-9TZ:.-]+"\}\Z')


@dataclass(frozen=True)
class Answer:
    """What came back, and how long it took."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float

    def json(self) -> Any:
        """Decode the body, which must say that it is JSON."""
        assert self.headers.get_content_type() == "application/json", (self.status, self.headers, self.body[:500])
        return json.loads(self.body)

    def ok(self) -> Any:
        """Decode the body of a success."""
        assert self.status == 200, (self.status, self.body[:500])
        return self.json()

    def refused(self, status: int) -> str:
        """Answer the message of a refusal with this status, which has the shape of all refusals."""
        assert self.status == status, (self.status, self.body[:500])
        payload = self.json()
        assert payload.keys() <= {"message", "errors"}, payload
        assert all(error.keys() == {"loc", "msg"} for error in payload.get("errors", [])), payload
        message = payload["message"]
        assert isinstance(message, str)
        assert message
        return message


def send_request(
    url: str, method: str, target: str, *, body: bytes | Iterable[bytes] | None = None, headers: Mapping[str, str]
) -> Answer:
    """Send one request on a connection of its own; an iterable goes out in chunks."""
    connection = open_connection(url)
    try:
        return send_over(connection, method, target, body=body, headers=headers)
    finally:
        connection.close()


def open_connection(url: str) -> http.client.HTTPConnection:
    """Make a connection for any number of requests, one after the other."""
    address = urlsplit(url)
    assert address.hostname
    make = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    return make(address.hostname, address.port, timeout=ANSWER_TIMEOUT_S)


def send_over(
    connection: http.client.HTTPConnection, method: str, target: str, *, body: bytes | Iterable[bytes] | None,
    headers: Mapping[str, str],
) -> Answer:  # fmt: skip
    """Send one request on a connection, made again if the last answer closed it."""
    start = time.monotonic()
    connection.request(method, target, body, dict(headers), encode_chunked=True)
    answer = connection.getresponse()
    return Answer(answer.status, answer.headers, answer.read(), time.monotonic() - start)


@dataclass
class Customer:
    """Sends what a customer would and remembers what was accepted."""

    url: str
    catalog_key: str
    token: str
    #: In the order of acceptance.
    accepted: list[Accepted] = field(default_factory=list)

    @property
    def authorization(self) -> str:
        return "Basic " + base64.b64encode(f"{self.token}:".encode()).decode()

    def call(
        self, method: str, path: str, *, body: Any = None, headers: Mapping[str, str] | None = None, **query: Any
    ) -> Answer:
        """Send a request; a body that is neither bytes nor an iterable of them is written as JSON."""
        if isinstance(body, dict | list | str | int):
            body = json.dumps(body, ensure_ascii=False).encode()
        elif isinstance(body, Iterator):
            headers = {"Transfer-Encoding": "chunked", **(headers or {})}
        target = f"{path}?{urlencode({'key': self.catalog_key, **query}, doseq=True)}"
        own = {"Authorization": self.authorization, "Content-Type": "application/json"}
        return self.exchange(method, target, body, {**own, **(headers or {})})

    def exchange(self, method: str, target: str, body: Any, headers: Mapping[str, str]) -> Answer:
        """Send one request and read its answer."""
        return send_request(self.url, method, target, body=body, headers=headers)

    # -- writes ---------------------------------------------------------------------------------------------------

    def send(
        self, method: str, entries: Sequence[Entry], *, kind: str = "items", headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Answer:  # fmt: skip
        """Send a batch, and note it in the journal if it is accepted."""
        texts = list(map(entry_bytes, entries))
        body = b'{"%s": [%s]}' % (kind.encode(), b", ".join(texts))
        sent = time.monotonic()
        answer = self.call(method, f"/v2/{kind}", body=body, headers=headers, **query)
        if answer.status == 200:
            batch = Accepted(
                answer.json()["task_id"], kind, OPERATIONS[method], texts,
                section=NO_SECTION if kind == "item_groups" else query.get("section", "Products"),
                on_missing=query.get("on_missing", "FAIL"),
                force=str(query.get("force", "")).lower() in ("true", "1"), sent=sent, answered=time.monotonic(),
            )  # fmt: skip
            self.accepted.append(batch)
        return answer

    def put(self, *entries: Entry, **how: Any) -> int:
        """Create or replace; the batch must be accepted."""
        return int(self.send("PUT", entries, **how).ok()["task_id"])

    def patch(self, *entries: Entry, **how: Any) -> int:
        """Change; the batch must be accepted."""
        return int(self.send("PATCH", entries, **how).ok()["task_id"])

    def delete(self, *entries: Entry, **how: Any) -> int:
        """Remove; the batch must be accepted."""
        return int(self.send("DELETE", entries, **how).ok()["task_id"])

    def cancel(self, task_id: int) -> Answer:
        """Cancel a task, and note it if that was still possible."""
        answer = self.call("PATCH", f"/v1/tasks/{task_id}", body={"status": "CANCELED"})
        if answer.status == 200:
            self._journal(task_id).canceled = True
        return answer

    def rerun(self, task_id: int) -> Answer:
        """Run an ended task again, and note the new one."""
        sent = time.monotonic()
        answer = self.call("PATCH", f"/v1/tasks/{task_id}", body={"status": "QUEUED"})
        if answer.status == 200:
            old, new_id = self._journal(task_id), answer.json()["id"]
            again = replace(old, task_id=new_id, sent=sent, answered=time.monotonic(), canceled=False, retry_of=task_id)
            self.accepted.append(again)
        return answer

    def _journal(self, task_id: int) -> Accepted:
        return next(batch for batch in self.accepted if batch.task_id == task_id)

    # -- reads ----------------------------------------------------------------------------------------------------

    def task(self, task_id: int) -> dict[str, Any]:
        """Read a task that must be there."""
        return dict(self.call("GET", f"/v1/tasks/{task_id}").ok())

    def task_list(self, **query: Any) -> dict[str, Any]:
        """Read a page of tasks."""
        return dict(self.call("GET", "/v1/tasks", **query).ok())

    def counts(self) -> dict[str, int]:
        """Count the tasks by status."""
        return dict(self.task_list(num_results_per_page=1)["status_counts"])

    def entry(self, entry_id: str, kind: str = "items", **query: Any) -> Answer:
        """Ask for one item or variation."""
        return self.call("GET", f"/v2/{kind}/{quote(entry_id, safe='')}", **query)

    def tasks(self) -> Sequence[SeenTask]:
        """All tasks, newest first."""
        return list(map(_seen, self.task_pages()))

    def entries(self, kind: str = "items", section: str = "Products") -> Sequence[tuple[str, bytes]]:
        """Id and bytes of all entries, in the order of the listing."""
        if kind == "item_groups":
            return self._groups()
        found, cursor = [], {}
        while True:
            body = self.call("GET", f"/v2/{kind}", section=section, num_results_per_page=1000, **cursor).body
            page = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            for entry in msgspec.json.decode(page[kind], type=list[msgspec.Raw]):
                found.append((json.loads(bytes(entry))["id"], _UPDATED_AT.sub(b"}", bytes(entry))))
            if "next_page_cursor" not in page:
                return found
            cursor = {"next_page_cursor": json.loads(bytes(page["next_page_cursor"]))}

    def _groups(self) -> list[tuple[str, bytes]]:
        found: list[tuple[str, bytes]] = []
        while True:
            body = self.call("GET", "/v2/item_groups", num_results_per_page=100, offset=len(found)).body
            page = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            groups = msgspec.json.decode(page["item_groups"], type=list[msgspec.Raw])
            if not groups:
                return found
            found += [(json.loads(bytes(one))["id"], _UPDATED_AT.sub(b"}", bytes(one))) for one in groups]

    def task_pages(self) -> Iterator[dict[str, Any]]:
        """Read all tasks as they are shown, newest first."""
        page = 1
        while tasks := self.task_list(num_results_per_page=100, page=page)["tasks"]:
            yield from tasks
            page += 1

    # -- the end --------------------------------------------------------------------------------------------------

    def count_ended(self) -> int:
        """Count the tasks that neither wait nor run."""
        return sum(count for status, count in self.counts().items() if status not in ("QUEUED", "IN_PROGRESS"))

    def all_ended(self) -> bool:
        """Say whether no task waits or runs."""
        counts = self.counts()
        return counts["QUEUED"] == counts["IN_PROGRESS"] == 0

    def wait_all_ended(self, *, timeout_s: float = 30, every_s: float = 0.02) -> None:
        """Wait until no task waits or runs."""
        wait_until(self.all_ended, f"all tasks of {self.catalog_key} end", timeout_s=timeout_s, every_s=every_s)

    def wait_for(self, task_id: int, *, timeout_s: float = 30) -> dict[str, Any]:
        """Wait until a task has ended, and read it."""

        def ended() -> dict[str, Any] | None:
            task = self.task(task_id)
            return task if task["status"] in ("DONE", "FAILED", "CANCELED") else None

        return wait_until(ended, f"task {task_id} of {self.catalog_key} ends", timeout_s=timeout_s, every_s=0.01) or {}

    def done(self, task_id: int, *, timeout_s: float = 30) -> dict[str, Any]:
        """Wait until a task is DONE, and read it."""
        task = self.wait_for(task_id, timeout_s=timeout_s)
        assert task["status"] == "DONE", task
        return task

    def check_laws(self) -> None:
        """Raise LawBroken unless the laws hold for everything that was accepted."""
        check_laws(self.accepted, self)


def _seen(task: dict[str, Any]) -> SeenTask:
    # The result of an export is its file.
    result = {"changelog": {"sections": {}}, "ingestion_warnings": [], **task.get("result", {})}
    changelog = dict(result["changelog"])
    sections = changelog.pop("sections").values()
    counts = {name: count for counted in (*sections, changelog) for name, count in counted.items()}
    error = task.get("error", {}).get("message")
    return SeenTask(task["id"], task["status"], counts, result["ingestion_warnings"], error, task.get("retry_of"))
