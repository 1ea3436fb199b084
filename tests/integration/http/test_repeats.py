"""Every write of every call is done once under its Idempotency-Key, and its repeat says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from werkzeug.test import TestResponse

from api.http.idempotency import REPLAYED, read_idempotency_key
from shared import codec
from shared.errors import KeyUsed
from shared.model import Kind
from tests.integration.http.test_document import OPERATIONS
from tests.support.batches import items
from tests.support.ingress import Ingress

WRITES = sorted(call for call in OPERATIONS if not call.startswith("GET"))
_FORM = "multipart/form-data; boundary=x"


def _file(rows: str) -> bytes:
    head = 'Content-Disposition: form-data; name="items"; filename="items.csv"'
    return f"--x\r\n{head}\r\n\r\n{rows}\r\n--x--\r\n".encode()


def _nothing(_: Ingress) -> str:
    return ""


def _ended(ingress: Ingress) -> str:
    ingress.rig.put({"id": "a", "name": "a"})
    ingress.rig.drain()
    return ""


def _webhook(ingress: Ingress) -> str:
    made: Any = ingress.send("POST", "/v1/webhooks", {"url": "https://shop.example/sluice"}).json
    return f"/v1/webhooks/{made['id']}"


def _below(word: str) -> Callable[[Ingress], str]:
    return lambda ingress: f"{_webhook(ingress)}/{word}"


def _guard(kind: Kind, ingress: Ingress) -> str:
    assert ingress.send("PUT", f"/v1/guards/{kind}", {}).status_code == 200
    return f"/v1/guards/{kind}"


def _cursor(ingress: Ingress) -> str:
    assert ingress.send("PUT", "/v1/changes/cursors/a", {"after": "0"}).status_code == 200
    return "/v1/changes/cursors/a"


@dataclass
class Write:
    """A write, one under the same key that says something else, and what has to be there before."""

    body: Any = None
    other: Any = None
    #: Returns the path, if it follows from what is there.
    before: Callable[[Ingress], str] = _nothing
    headers: dict[str, str] = field(default_factory=dict)
    path: str = ""

    def send(self, ingress: Ingress, call: str, path: str, body: Any, *, name: str = "once") -> TestResponse:
        return ingress.send(call.split()[0], path, body, headers={"Idempotency-Key": name, **self.headers})


_ITEM, _OTHER_ITEM = {"item_name": "a"}, {"item_name": "b"}
_GROUP, _OTHER_GROUP = {"id": "a", "name": "A"}, {"id": "b", "name": "B"}


def _entries(kind: str, one: dict[str, Any], other: dict[str, Any]) -> Write:
    return Write({kind: [one]}, {kind: [other]})


#: One for each write in the document: a call without one fails the test.
EXAMPLES: dict[str, Write] = {
    **{
        f"{method} /v2/{kind}": _entries(kind, one, one | {"id": "b"})
        for kind, whole in (
            ("items", {"id": "a", "name": "A"}),
            ("variations", {"id": "a", "item_id": "i"}),
            ("item_groups", _GROUP),
        )
        for method, one in (("PUT", whole), ("PATCH", whole), ("DELETE", {"id": "a"}))
    },
    **{f"{method} /v1/item": Write(_ITEM, _OTHER_ITEM) for method in ("POST", "PATCH")},
    **{f"{method} /v1/item": Write(_ITEM, _OTHER_ITEM, _ended) for method in ("PUT", "DELETE")},
    "POST /v1/batch_items": Write({"items": [_ITEM]}, {"items": [_OTHER_ITEM]}),
    **{
        f"{method} /v1/batch_items": Write({"items": [_ITEM]}, {"items": [_OTHER_ITEM]}, _ended)
        for method in ("PUT", "DELETE")
    },
    **{
        f"{method} /v1/item_groups": _entries("item_groups", _GROUP, _OTHER_GROUP)
        for method in ("POST", "PUT", "PATCH")
    },
    "DELETE /v1/item_groups": Write(),
    "PUT /v1/item_groups/{group_id}": Write({"name": "A"}, {"name": "B"}, path="/v1/item_groups/a"),
    **{
        f"{method} /v1/catalog": Write(
            _file("id,item_name\r\na,A"), _file("id,item_name\r\nb,B"), headers={"Content-Type": _FORM}
        )
        for method in ("PUT", "PATCH")
    },
    "POST /v1/tasks": Write(
        {"type": "catalog_export", "catalog_part": "items"}, {"type": "catalog_export", "catalog_part": "variations"}
    ),
    "PATCH /v1/tasks": Write(
        {"tasks": [{"id": 1, "status": "QUEUED"}]}, {"tasks": [{"id": 2, "status": "CANCELED"}]}, _ended
    ),
    "PATCH /v1/tasks/{task_id}": Write({"status": "QUEUED"}, {"status": "CANCELED"}, _ended, path="/v1/tasks/1"),
    "PUT /v1/changes/cursors/{cursor_name}": Write({"after": "0"}, path="/v1/changes/cursors/a"),
    "DELETE /v1/changes/cursors/{cursor_name}": Write(before=_cursor),
    **{f"PUT /v1/guards/{kind}": Write({"floor": 1}, {"floor": 2}) for kind in Kind},
    **{f"DELETE /v1/guards/{kind}": Write(before=partial(_guard, kind)) for kind in Kind},
    "POST /v1/webhooks": Write({"url": "https://shop.example/one"}, {"url": "https://shop.example/two"}),
    "DELETE /v1/webhooks/{webhook_id}": Write(before=_webhook),
    "PATCH /v1/webhooks/{webhook_id}": Write({"paused": True}, {"paused": False}, before=_webhook),
    "POST /v1/webhooks/{webhook_id}/secret": Write({"overlap_hours": 1}, {"overlap_hours": 2}, _below("secret")),
    "POST /v1/webhooks/{webhook_id}/ping": Write(before=_below("ping")),
    "POST /v1/webhooks/{webhook_id}/resend": Write(
        {"since": "2026-01-01T00:00:00Z"}, {"since": "2026-01-02T00:00:00Z"}, _below("resend")
    ),
}


@pytest.mark.parametrize("call", WRITES)
def test_a_write_is_done_once_under_its_key(ingress: Ingress, call: str) -> None:
    """The repeat is answered as the first request, and marked; another request under the key is refused."""
    write = EXAMPLES[call]
    path = write.before(ingress) or write.path or call.split()[1]
    with ingress.draining():
        first, second = (write.send(ingress, call, path, write.body) for _ in range(2))
        tasks = ingress.get("/v1/tasks")["total_count"]
        other = write.send(ingress, call, path, write.other)
    assert (first.status_code, REPLAYED in first.headers) in ((200, False), (204, False)), first.text
    assert (second.status_code, second.headers.get(REPLAYED)) == (first.status_code, "true"), second.text
    for answer in ("task_id", "id", "secret"):
        assert (first.json or {}).get(answer) == (second.json or {}).get(answer)
    if write.other is not None:
        assert (other.status_code, other.json) == (409, {"message": str(KeyUsed())}), other.text
    assert ingress.get("/v1/tasks")["total_count"] == tasks


@pytest.mark.parametrize("call", WRITES)
def test_a_key_that_is_none_is_refused(ingress: Ingress, call: str) -> None:
    write = EXAMPLES[call]
    path = write.before(ingress) or write.path or call.split()[1]
    before = ingress.get("/v1/tasks")["total_count"]
    refused = write.send(ingress, call, path, write.body, name="two words")
    assert (refused.status_code, refused.json["errors"][0]["loc"]) == (400, "Idempotency-Key")
    assert ingress.get("/v1/tasks")["total_count"] == before


@pytest.mark.parametrize("call", WRITES)
def test_the_document_tells_it_of_every_write(call: str) -> None:
    operation = OPERATIONS[call]
    assert "Idempotency-Key" in {parameter.get("name") for parameter in operation["parameters"]}
    answers = [answer for status, answer in operation["responses"].items() if status < "400"]
    assert all(REPLAYED in answer["headers"] for answer in answers)
    assert "409" in operation["responses"]


def test_a_cancel_is_answered_again_although_the_task_is_canceled(ingress: Ingress) -> None:
    """Without the key, a task that has ended cannot be canceled."""
    ingress.rig.put(*items("a"))
    headers = {"Idempotency-Key": "once"}
    first, second = (ingress.send("PATCH", "/v1/tasks/1", {"status": "CANCELED"}, headers=headers) for _ in range(2))
    assert (first.json, first.status_code) == (second.json, 200)
    assert ingress.send("PATCH", "/v1/tasks/1", {"status": "CANCELED"}).status_code == 409


def test_an_export_is_answered_again_after_it_has_ended(ingress: Ingress) -> None:
    """Without the key, it would be another export."""
    body, headers = {"type": "catalog_export", "catalog_part": "items"}, {"Idempotency-Key": "once"}
    first = ingress.send("POST", "/v1/tasks", body, headers=headers)
    ingress.rig.drain()
    again = ingress.send("POST", "/v1/tasks", body, headers=headers)
    assert (first.json or {})["task_id"] == (again.json or {})["task_id"] == 1
    assert (again.json or {})["status"] == "DONE"


def test_a_removed_webhook_is_answered_again_with_its_secret(ingress: Ingress) -> None:
    """The sender that lost the answer has no other way to learn it, and may remove the webhook by its id."""
    body, headers = {"url": "https://shop.example/sluice"}, {"Idempotency-Key": "once"}
    first: Any = ingress.send("POST", "/v1/webhooks", body, headers=headers).json
    assert ingress.send("DELETE", f"/v1/webhooks/{first['id']}").status_code == 200
    assert ingress.send("POST", "/v1/webhooks", body, headers=headers).json == first
    assert ingress.get("/v1/webhooks")["webhooks"] == []


def test_what_is_refused_leaves_its_key_free(ingress: Ingress) -> None:
    headers = {"Idempotency-Key": "once"}
    assert ingress.send("PATCH", "/v1/tasks/1", {"status": "QUEUED"}, headers=headers).status_code == 404
    _ended(ingress)
    assert ingress.send("PATCH", "/v1/tasks/1", {"status": "QUEUED"}, headers=headers).status_code == 200
    assert ingress.send("DELETE", "/v1/webhooks/wh_0123456789ab", headers=headers).status_code == 404


# -- across an upgrade ------------------------------------------------------------------------------------------------


def test_what_a_request_says_does_not_hang_on_the_version_of_records(
    ingress: Ingress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that an older process answered is the same one for a newer."""
    headers, body = {"Idempotency-Key": "once"}, {"items": items("a")}
    ingress.write("PUT", "/v2/items", body, headers=headers)
    monkeypatch.setattr(codec, "RECORD_VERSION", codec.RECORD_VERSION + 1)
    again = ingress.send("PUT", "/v2/items", body, headers=headers)
    assert (again.status_code, again.headers.get(REPLAYED)) == (200, "true"), again.text


def test_an_option_that_is_new_changes_nothing_unless_it_is_sent(ingress: Ingress) -> None:
    """A newer version's batch, with a member that the older one's has not."""

    @dataclass(frozen=True)
    class Older:
        section: str
        force: bool = False

    @dataclass(frozen=True)
    class Newer(Older):
        careful: bool = False

    def digest(wish: Any) -> str:
        with ingress.app.test_request_context("/v2/items", method="PUT", headers={"Idempotency-Key": "once"}):
            key = read_idempotency_key(wish, b"{}")
        assert key is not None
        return key.request_digest

    assert digest(Older("Products")) == digest(Newer("Products")) != digest(Newer("Products", careful=True))
    assert digest(Older("Products", force=True)) != digest(Older("Products"))
