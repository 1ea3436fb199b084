"""Arbitrary bytes, at any endpoint, never cause a 5xx and reveal nothing of the inside.

Good requests are damaged in the path, the query, the headers and the body, by a seeded hand; ``FUZZ_REQUESTS`` says how
many, ``FUZZ_SEED`` repeats a run.
"""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable
from urllib.parse import quote

import zstandard
from werkzeug.test import EnvironBuilder

from tests.integration.http.test_access_matrix import ALL
from tests.support.ingress import TOKEN, Ingress, basic
from tests.support.key_checker import check_keys
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "600"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))

#: Answers that are no mistake: 503 says that the store is full, 504 that the time to wait was up.
FINE_5XX = {503, 504}
SIGNS_OF_THE_INSIDE = ("Traceback", 'File "', "shared/", "redis.exceptions", TOKEN)

NASTY = [
    "",
    "\x00",
    "\ud7ff",
    "é",
    "../..",
    "%2F",
    "-1",
    "1e999",
    "9" * 40,
    "NaN",
    "true",
    "null",
    "{",
    "'",
    '"',
    "x" * 300,
]
BODIES: list[object] = [
    {"items": [{"id": "a", "name": "A"}]},
    {"items": [{"id": "a", "data": {"x:add": [1], "y": {"z": None}}}]},
    {"variations": [{"id": "v", "item_id": "a", "name": "V"}]},
    {"item_groups": [{"id": "g", "name": "G", "parent_ids": ["h"], "children": []}]},
    {"items": [{"id": "i", "item_name": "I", "variations": [{"variation_id": "v"}], "facets": {"f": 1}}]},
    {"item_name": "I", "id": "i", "keywords": ["k"]},
    {"status": "CANCELED"},
    {"tasks": [{"id": 1, "status": "QUEUED"}]},
    {"type": "catalog_export", "catalog_part": "items"},
    {"url": "https://example.com/hook"},
]
HEADERS = [
    "Content-Type",
    "Content-Encoding",
    "Idempotency-Key",
    "X-Request-Id",
    "traceparent",
    "Accept",
    "Cookie",
    "Range",
]
VALUES = [
    "application/json", "application/x-ndjson", "multipart/form-data; boundary=x", "text/csv", "gzip", "zstd", "br",
    "k", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "session=x", "bytes=0-1",
]  # fmt: skip
PARAMETERS = [
    "section", "force", "on_missing", "on_invalid", "dry_run", "page", "offset", "num_results_per_page", "id",
    "item_id", "next_page_cursor", "status", "type", "start_date", "end_date", "after", "outcome", "format", "mode",
    "patch_delta", "notification_email", "c", "key",
]  # fmt: skip


class Hand:
    """Makes up requests."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def request(self) -> EnvironBuilder:
        r = self._random
        _, (method, path) = r.choice(ALL)
        query = {"key": ACME} | {r.choice(PARAMETERS): self._value() for _ in range(r.randrange(3))}
        headers = {"Authorization": basic(TOKEN), "Content-Type": "application/json"}
        headers |= {r.choice(HEADERS): self._header() for _ in range(r.randrange(3))}
        if r.random() < 0.1:
            headers["Authorization"] = r.choice(["Basic !", "Bearer", "Basic Og==", "Digest x", self._header()])
        if r.random() < 0.3:
            path = path.removesuffix("a").removesuffix("1") + quote(self._value(), safe="")
        if r.random() < 0.1:
            method = r.choice(["GET", "PUT", "POST", "PATCH", "DELETE"])
        data = None if method == "GET" and r.random() < 0.8 else self._body()
        return EnvironBuilder(path=path, method=method, query_string=query, headers=headers, data=data)

    def _value(self) -> str:
        return self._random.choice([*NASTY, "1", "2", "a", "Products", "DONE", "SKIP", "CREATE", "2026-11-23"])

    def _header(self) -> str:
        r = self._random
        made = r.choice([*VALUES, "".join(chr(r.randrange(32, 256)) for _ in range(r.randrange(40)))])
        return made.encode("latin-1", "replace").decode("latin-1")

    def _body(self) -> bytes:
        r = self._random
        body = json.dumps(r.choice(BODIES)).encode()
        damages: list[Callable[[bytes], bytes]] = [
            lambda body: body,
            lambda body: body[: r.randrange(len(body) + 1)],
            lambda body: body.replace(b'"a"', json.dumps(self._value()).encode()),
            lambda body: bytes(byte ^ (r.random() < 0.02) << r.randrange(8) for byte in body),
            lambda body: b"[" * 2000 + body,
            lambda body: body.replace(b"1", b"1" * 400),
            gzip.compress,
            zstandard.ZstdCompressor().compress,
            lambda body: (
                b'--x\r\nContent-Disposition: form-data; name="items"\r\n\r\nid,item_name\r\n1,' + body + b"\r\n--x--"
            ),
            lambda _: r.randbytes(r.randrange(200)),
        ]
        return r.choice(damages)(body)


def test_no_request_is_answered_with_the_inside(rig: Rig, store_server: StoreServer) -> None:
    ingress, hand = Ingress(rig, store_server.url), Hand(SEED)
    with ingress.draining():
        for number in range(REQUESTS):
            builder = hand.request()
            with ingress.app.test_client() as client:
                answer = client.open(builder)
            said = f"seed {SEED}, request {number}: {builder.method} {builder.path}?{builder.query_string}"
            assert answer.status_code < 500 or answer.status_code in FINE_5XX, f"{said}: {answer.status_code}"
            text = answer.get_data().decode(errors="replace") if answer.mimetype == "application/json" else ""
            assert not [sign for sign in SIGNS_OF_THE_INSIDE if sign in text], f"{said}: {text[:500]}"
    rig.drain()
    check_keys(rig.client)
