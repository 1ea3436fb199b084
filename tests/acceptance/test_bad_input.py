"""Bad input gets an error in the contract's words, in JSON, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator
from itertools import repeat
from typing import Any
from urllib.parse import quote

import pytest
import zstandard

from deploy.stack.services import Name
from tests.acceptance import processes
from tests.acceptance.customer import Answer, Customer
from tests.acceptance.raw_http import send_bytes
from tests.acceptance.site import Site

MIB = 1024 * 1024
#: The defaults of SLUICE_MAX_BODY_BYTES and SLUICE_MAX_INFLATED_BYTES.
MAX_BODY = 32 * MIB
MAX_INFLATED = 64 * MIB

GOOD = b'{"items": [{"id": "a", "name": "A"}]}'


@contextlib.contextmanager
def nothing_left_behind(customer: Customer) -> Iterator[None]:
    """Whatever happens meanwhile, no task and no item comes of it."""
    before = customer.task_list(), customer.entries()
    yield
    assert (customer.task_list(), customer.entries()) == before


@pytest.fixture(scope="module")
def bystander(site: Site) -> Customer:
    """Sends nothing that is good, so its catalog stays empty."""
    return site.customer()


@pytest.fixture(autouse=True)
def untouched(bystander: Customer) -> Iterator[None]:
    with nothing_left_behind(bystander):
        yield


def one(**fields: Any) -> bytes:
    """A body with one item, good but for these fields."""
    return json.dumps({"items": [{"id": "a", "name": "A"} | fields]}).encode()


def nested(levels: int) -> bytes:
    """A body with one item whose data has so many levels of objects."""
    return b'{"items": [{"id": "a", "name": "A", "data": %s}]}' % (b'{"a": ' * levels + b"1" + b"}" * levels)


REFUSED_BODIES = {
    "nothing at all": (b"", "body: not valid JSON"),
    "half an object": (b'{"items": [', "body: not valid JSON"),
    "more after the end": (GOOD + b" x", "body: not valid JSON"),
    "single quotes": (b"{'items': []}", "body: not valid JSON"),
    "not a number": (b'{"items": [{"id": "a", "name": "A", "data": {"price": NaN}}]}', "body: not valid JSON"),
    "two byte order marks": (2 * b"\xef\xbb\xbf" + GOOD, "body: not valid JSON"),
    "half a surrogate pair": (b'{"items": [{"id": "\\ud83d", "name": "A"}]}', "body: not valid JSON"),
    "a raw newline in a text": (b'{"items": [{"id": "a\nb", "name": "A"}]}', "body: not valid JSON"),
    "bytes that are no text": (b'{"items": [{"id": "\xff", "name": "A"}]}', "body: not valid UTF-8 (byte 19)"),
    "Latin-1": ('{"items": [{"id": "é", "name": "A"}]}'.encode("latin-1"), "body: not valid UTF-8 (byte 19)"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "body: not valid UTF-8 (byte 0)"),
    "a list": (b"[]", "body: value is not a valid dict"),
    "a number": (b"7", "body: value is not a valid dict"),
    "an empty object": (b"{}", "items: field required"),
    "null": (b'{"items": null}', "items: none is not an allowed value"),
    "an object for the list": (b'{"items": {}}', "items: value is not a valid list"),
    "no items": (b'{"items": []}', "items: ensure this value has at least 1 items"),
    "10,001 items": (
        b'{"items": [%s]}' % b",".join(b'{"id": "%d", "name": "A"}' % i for i in range(10_001)),
        "items: ensure this value has at most 10000 items",
    ),
    "something beside the items": (b'{"items": [{"id": "a", "name": "A"}], "x": 1}', "x: extra fields not permitted"),
    "items twice": (b'{"items": [{"id": "a", "name": "A"}], "items": [{"id": "b", "name": "B"}]}', "items: "),
    "a number for an item": (b'{"items": [1]}', "items[0]: value is not a valid dict"),
    "an unknown field": (one(price=1), "items[0].price: extra fields not permitted"),
    "no id": (b'{"items": [{"name": "A"}]}', "items[0].id: field required"),
    "no name": (b'{"items": [{"id": "a"}]}', "items[0].name: field required"),
    "an empty id": (one(id=""), "items[0].id: ensure this value has at least 1 characters"),
    "a long id": (one(id="x" * 251), "items[0].id: ensure this value has at most 250 characters"),
    "a number for an id": (one(id=7), "items[0].id: "),
    "null for an id": (one(id=None), "items[0].id: none is not an allowed value"),
    "a low score": (
        one(suggested_score=-2),
        "items[0].suggested_score: ensure this value is greater than or equal to -1",
    ),
    "a high score": (
        one(suggested_score=500_000_001),
        "items[0].suggested_score: ensure this value is less than or equal to 500000000",
    ),
    "half a score": (one(suggested_score=1337.5), "items[0].suggested_score: value is not a valid integer"),
    "a text for a score": (one(suggested_score="7"), "items[0].suggested_score: value is not a valid integer"),
    "a list for data": (one(data=[]), "items[0].data: value is not a valid dict"),
    "much data": (one(data={"x": "y" * 200_001}), "items[0].data: ensure this value has at most 200000 bytes of JSON"),
    "65 levels": (nested(64), "items[0]: ensure this value is nested at most 64 levels deep"),
    "100,000 levels": (nested(100_000), "body: ensure this value is nested at most 64 levels deep"),
    "a million brackets": (
        b'{"items": ' + b"[" * 1_000_000,
        "body: ensure this value is nested at most 64 levels deep",
    ),
}


@pytest.mark.parametrize("what", REFUSED_BODIES)
def test_a_bad_body_is_refused_in_the_words_of_the_contract(what: str, bystander: Customer) -> None:
    body, message = REFUSED_BODIES[what]
    refusal = bystander.call("PUT", "/v2/items", body=body).refused(400)
    assert refusal.startswith(message) if message.endswith((" ", "JSON")) else refusal == message


def test_every_problem_is_named_and_the_first_ten_in_the_message(bystander: Customer) -> None:
    answer = bystander.call("PUT", "/v2/items", body={"items": [{"id": ""}] * 8})
    message, errors = answer.refused(400), answer.json()["errors"]
    assert message.split("; ") == [f"{error['loc']}: {error['msg']}" for error in errors[:10]]
    assert {error["loc"] for error in errors} == {f"items[{i}].{field}" for i in range(8) for field in ("id", "name")}


def test_one_bad_entry_keeps_the_whole_batch_out(bystander: Customer) -> None:
    items: list[dict[str, Any]] = [{"id": str(i), "name": "A"} for i in range(5000)]
    items[4711]["price"] = 1
    answer = bystander.call("PUT", "/v2/items", body={"items": items})
    assert answer.refused(400) == "items[4711].price: extra fields not permitted"


REFUSED_QUERIES = [
    ("PUT", {"section": ""}, "section: ensure this value has at least 1 characters"),
    ("PUT", {"section": "x" * 101}, "section: ensure this value has at most 100 characters"),
    ("PUT", {"force": "perhaps"}, "force: value could not be parsed to a boolean"),
    (
        "PATCH",
        {"on_missing": "create"},
        "on_missing: value is not a valid enumeration member; permitted: 'CREATE', 'IGNORE', 'FAIL'",
    ),
    ("GET", {"page": "x"}, "page: value is not a valid integer"),
    ("GET", {"page": "0"}, "page: ensure this value is greater than or equal to 1"),
    ("GET", {"page": "1", "offset": "0"}, "offset, page are mutually exclusive"),
    ("GET", {"num_results_per_page": "1001"}, "num_results_per_page: ensure this value is less than or equal to 1000"),
    ("GET", {"next_page_cursor": "!!!"}, "next_page_cursor: value is not a cursor of ours"),
    ("GET", {"next_page_cursor": "\x00"}, "next_page_cursor: value is not a cursor of ours"),
]


@pytest.mark.parametrize(("method", "query", "message"), REFUSED_QUERIES)
def test_a_bad_query_is_refused_in_the_words_of_the_contract(
    method: str, query: dict[str, str], message: str, bystander: Customer
) -> None:
    body = None if method == "GET" else GOOD
    assert bystander.call(method, "/v2/items", body=body, **query).refused(400) == message


# -- encodings and lengths --------------------------------------------------------------------------------------------

WRONG_ENCODINGS = {
    "text for gzip": (400, GOOD, "gzip"),
    "text for zstd": (400, GOOD, "zstd"),
    "half of a gzip": (400, gzip.compress(GOOD)[:-4], "gzip"),
    "a gzip and more": (400, gzip.compress(GOOD) + b"x", "gzip"),
    "a gzip with a wrong checksum": (400, gzip.compress(GOOD)[:-8] + bytes(8), "gzip"),
    "half of a zstd": (400, zstandard.compress(GOOD)[:-4], "zstd"),
    "an encoding of others": (415, GOOD, "br"),
    "two encodings": (415, GOOD, "gzip, zstd"),
}


@pytest.mark.parametrize("what", WRONG_ENCODINGS)
def test_a_body_that_is_not_encoded_as_it_says_is_refused(what: str, bystander: Customer) -> None:
    status, body, encoding = WRONG_ENCODINGS[what]
    answer = bystander.call("PUT", "/v2/items", body=body, headers={"Content-Encoding": encoding})
    assert (
        answer.refused(status)
        == {
            400: f"body: value is not valid {encoding}",
            415: f"Content-Encoding {encoding!r} is not supported here; send gzip, zstd or none.",
        }[status]
    )


@pytest.mark.parametrize("content_type", ["text/csv", "application/xml", "application/x-www-form-urlencoded"])
def test_what_does_not_say_it_is_json_is_415(content_type: str, bystander: Customer) -> None:
    answer = bystander.call("PUT", "/v2/items", body=GOOD, headers={"Content-Type": content_type})
    assert answer.refused(415).startswith(f"Content-Type {content_type!r} is not supported here")


def too_long_declared(customer: Customer) -> Answer:
    return customer.call("PUT", "/v2/items", body=b"", headers={"Content-Length": str(MAX_BODY + 1)})


def too_long_sent(customer: Customer) -> Answer:
    return customer.call("PUT", "/v2/items", body=b" " * (MAX_BODY + 1))


def too_long_in_chunks(customer: Customer) -> Answer:
    return customer.call("PUT", "/v2/items", body=repeat(b" " * MIB, MAX_BODY // MIB + 1))


@pytest.mark.parametrize("send", [too_long_declared, too_long_sent, too_long_in_chunks])
def test_a_body_over_the_limit_is_413_and_its_sender_gets_to_read_it(send: Any, bystander: Customer) -> None:
    assert send(bystander).refused(413) == f"The body is too large: at most {MAX_BODY} bytes are accepted."


def test_whoever_sends_a_long_body_without_a_right_to_reads_why_it_is_refused(bystander: Customer) -> None:
    stranger = Customer(bystander.url, bystander.catalog_key, "wrong")
    assert stranger.call("PUT", "/v2/items", body=b" " * (20 * MIB)).refused(401).startswith("Invalid auth_token")


def bomb_of_many_entries() -> bytes:
    return b'{"items": [%s[]]}' % (b"[]," * (MAX_INFLATED // 3 - 10))


def bomb_of_many_fields() -> bytes:
    return b"{%s}" % b",".join(b'"%d":1' % i for i in range(4_000_000))


BOMBS = {
    "gzip of 1 GiB": (413, "gzip", lambda: gzip.compress(bytes(1024 * MIB), 1)),
    "zstd of 1 GiB": (413, "zstd", lambda: zstandard.compress(bytes(1024 * MIB))),
    "20 million entries": (400, "gzip", lambda: gzip.compress(bomb_of_many_entries(), 1)),
    "4 million fields": (400, "gzip", lambda: gzip.compress(bomb_of_many_fields(), 1)),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_compressed_bomb_is_refused_and_costs_the_ingress_little_memory(
    what: str, bystander: Customer, site: Site, measured: Any
) -> None:
    status, encoding, make = BOMBS[what]
    bomb = make()
    [ingress] = processes.children(site.stack.pids()[Name.INGRESS])
    answer = bystander.call("PUT", "/v2/items", body=bomb, headers={"Content-Encoding": encoding})
    answer.refused(status)
    peak = processes.peak_memory_bytes(ingress)
    measured(
        f"bomb, {what} in {len(bomb):,} bytes: refused in {answer.seconds:.2f} s, ingress peak {peak or 0:,} bytes"
    )
    assert (peak or 0) < 6 * MAX_INFLATED


# -- what is hardly HTTP ----------------------------------------------------------------------------------------------

LIST = b"GET /v2/items?key=%(key)s HTTP/1.1\r\nHost: shop\r\nAuthorization: %(auth)s\r\n"
PUT = (
    b"PUT /v2/items?key=%(key)s HTTP/1.1\r\nHost: shop\r\nAuthorization: %(auth)s\r\nContent-Type: application/json\r\n"
)

RAW_REQUESTS = {
    "a TLS greeting": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "no Host": (400, LIST.replace(b"Host: shop\r\n", b"") + b"\r\n"),
    "no HTTP at all": (400, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"),
    "a NUL in the path": (400, LIST.replace(b"/v2/items", b"/v2/items/a\0b") + b"\r\n"),
    "a newline in the path": (400, LIST.replace(b"/v2/items", b"/v2/items/a\nb") + b"\r\n"),
    "a space in the path": (400, LIST.replace(b"/v2/items", b"/v2/items/a b") + b"\r\n"),
    "raw UTF-8 in the path": (400, LIST.replace(b"/v2/items", "/v2/items/é".encode()) + b"\r\n"),
    "a strange method": (405, LIST.replace(b"GET", b"FROB") + b"\r\n"),
    "a line of two megabytes": (414, LIST.replace(b"?", b"?x=" + b"y" * 2 * MIB + b"&") + b"\r\n"),
    "a header of 100,000 bytes": (431, LIST + b"X: " + b"y" * 100_000 + b"\r\n\r\n"),
    "a negative length": (400, PUT + b"Content-Length: -1\r\n\r\n"),
    "a length that is no number": (400, PUT + b"Content-Length: x\r\n\r\n"),
    "both a length and chunks": (400, PUT + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunks that are none": (400, PUT + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"),
    "a body shorter than it says": (400, PUT + b"Content-Length: %d\r\n\r\n" % (len(GOOD) + 1) + GOOD),
    "credentials that are no base64": (401, LIST.replace(b"%(auth)s", b"Basic !!!") + b"\r\n"),
    "credentials that are no text": (401, LIST.replace(b"%(auth)s", b"Bearer \xff") + b"\r\n"),
    "a key that is no text": (401, LIST.replace(b"%(key)s", b"%%ff") + b"\r\n"),
}


@pytest.mark.parametrize("what", RAW_REQUESTS)
def test_what_is_hardly_http_is_refused_in_json_too(what: str, bystander: Customer) -> None:
    status, request = RAW_REQUESTS[what]
    values = {b"key": bystander.catalog_key.encode(), b"auth": bystander.authorization.encode()}
    send_bytes(bystander.url, request % values, hang_up=True).refused(status)


# -- paths and methods ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/v2", "/v2/items/", "/v3/items", "/V2/items", "/v1/task", "/health/"])
def test_an_unknown_path_is_404_in_json(path: str, bystander: Customer) -> None:
    bystander.call("GET", path).refused(404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/items"),
        ("PUT", "/v2/items/a"),
        ("PUT", "/v1/tasks"),
        ("DELETE", "/v1/tasks/1"),
        ("POST", "/health/live"),
    ],
)
def test_a_method_that_is_not_there_is_405_in_json_and_says_which_are(
    method: str, path: str, bystander: Customer
) -> None:
    answer = bystander.call(method, path, body=GOOD)
    answer.refused(405)
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("task_id", ["x", "1.0", "7/", "٣", " 7", "0x7", "null"])
def test_a_task_id_that_is_no_number_is_400(task_id: str, bystander: Customer) -> None:
    assert (
        bystander.call("GET", f"/v1/tasks/{quote(task_id, safe='')}").refused(400)
        == "task_id: value is not a valid integer"
    )


@pytest.mark.parametrize("task_id", ["0", "-1", "7", "2147483648", "9" * 5000])
def test_a_task_id_that_nobody_has_is_404(task_id: str, bystander: Customer) -> None:
    bystander.call("GET", f"/v1/tasks/{task_id}").refused(404)
