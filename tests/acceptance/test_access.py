"""Access over real HTTP: keys, tokens, scopes."""

from __future__ import annotations

import base64

import pytest

from deploy.stack.services import Name
from shared.waiting import wait_until
from tests.acceptance.customer import Answer, send_request
from tests.acceptance.site import Site

NO_KEY = "key: field required"
UNKNOWN_KEY = (
    "You have supplied an invalid `key` or `autocomplete_key`. "
    "You can find your key at app.constructor.io/dashboard/accounts/api_integration."
)
BAD_TOKEN = (
    "Invalid auth_token. If you've forgotten your token, you can generate a new one at app.constructor.io/dashboard"
)
OTHER_KEY = "This auth_token does not give access to the key 'two'."
READ_ONLY = "This auth_token may only read: it lacks the scope 'rw' on the key 'one'."

BODY = b'{"items": [{"id": "a", "name": "A"}]}'


def basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"{token}:".encode()).decode()


def ask(site: Site, method: str, path: str, *, key: str | None = "one", auth: str | None = None) -> Answer:
    headers = {"Content-Type": "application/json"} | ({"Authorization": auth} if auth else {})
    target = path + (f"?key={key}" if key is not None else "")
    return send_request(site.url, method, target, body=None if method == "GET" else BODY, headers=headers)


REQUESTS = [
    ("GET", "/v2/items"), ("GET", "/v2/items/a"), ("PUT", "/v2/items"), ("PATCH", "/v2/items"), ("DELETE", "/v2/items"),
    ("GET", "/v2/variations"), ("PUT", "/v2/variations"), ("GET", "/v1/tasks"), ("GET", "/v1/tasks/1"),
    ("PATCH", "/v1/tasks/1"), ("PATCH", "/v1/tasks"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_every_part_of_the_api_says_what_is_wrong_with_key_and_token(method: str, path: str, site: Site) -> None:
    assert ask(site, method, path, key=None).refused(400) == NO_KEY
    assert ask(site, method, path, key="").refused(400) == NO_KEY
    for key in ("nobody", "One", "a%20b", "one%00", "x" * 101):
        assert ask(site, method, path, key=key, auth=basic("writer-token")).refused(401) == UNKNOWN_KEY
    # When both are bad, the key's message.
    assert ask(site, method, path, key="nobody", auth=basic("wrong-token")).refused(401) == UNKNOWN_KEY
    for auth in (
        None,
        basic("wrong-token"),
        basic(""),
        "Basic !!!",
        "Bearer wrong-token",
        "Digest writer-token",
        "writer-token",
    ):
        answer = ask(site, method, path, auth=auth)
        assert answer.refused(401) == BAD_TOKEN
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert ask(site, method, path, key="two", auth=basic("writer-token")).refused(403) == OTHER_KEY
    if method != "GET":
        assert ask(site, method, path, auth=basic("reader-token")).refused(403) == READ_ONLY


@pytest.mark.parametrize(
    "auth",
    [basic("reader-token"), "Bearer reader-token", basic("writer-token"), "Bearer writer-token", "bearer writer-token"],
)
def test_whoever_may_read_reads(auth: str, site: Site) -> None:
    ask(site, "GET", "/v2/items", auth=auth).ok()
    ask(site, "GET", "/v1/tasks", auth=auth).ok()


@pytest.mark.parametrize(
    ("key", "auth"), [("one", basic("writer-token")), ("one", "Bearer writer-token"), ("two", basic("other-token"))]
)
def test_whoever_may_write_writes(key: str, auth: str, site: Site) -> None:
    task_id = ask(site, "PUT", "/v2/items", key=key, auth=auth).ok()["task_id"]
    task = ask(site, "GET", f"/v1/tasks/{task_id}", key=key, auth=auth).ok()
    assert task["submitted_by"]["address"] == "127.0.0.1"


def test_catalogs_do_not_see_each_other(site: Site) -> None:
    def task_ids() -> list[int]:
        return [
            task["id"] for task in ask(site, "GET", "/v1/tasks", key="two", auth=basic("other-token")).ok()["tasks"]
        ]

    before = task_ids()
    ask(site, "PUT", "/v2/items", auth=basic("writer-token")).ok()
    assert task_ids() == before


def test_no_token_is_ever_written_to_a_log(site: Site) -> None:
    ask(site, "PUT", "/v2/items", auth=basic("writer-token")).ok()
    ask(site, "GET", "/v2/items", auth=basic("wrong-token")).refused(401)
    last = ask(site, "PUT", "/v2/items", auth=basic("writer-token")).headers["X-Request-Id"]
    wait_until(lambda: last in site.log(Name.INGRESS), "all is in the log", timeout_s=10)
    said = "".join(file.read_text(errors="replace") for file in site.stack.folder.path.glob("log/*"))
    assert "batch accepted" in said
    for token in ("writer-token", basic("writer-token"), "reader-token", "wrong-token"):
        assert token not in said
