"""Catalogue files over HTTP, as a sync, as changes, or as the ids to keep; some are cut off on their way."""

from __future__ import annotations

import contextlib
import http.client
import random
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from tests.acceptance.customer import open_connection
from tests.chaos.patient import Patient
from tests.support.batches import Entry, entry_bytes
from tests.support.files import MULTIPART, archive, multipart
from tests.support.laws import Accepted

#: Share of the files that are cut off once before they are sent whole.
CUT = 0.5
#: Bytes at the end of a form without which it is whole all the same: the line end.
SPARE = 2


def send_file(customer: Patient, draw: random.Random, kind: str, entries: Sequence[Entry]) -> None:
    """Send the entries of one kind, which must be accepted in the end; what the file is goes into the journal."""
    operation = draw.choice(["sync", "put", "put", "keep"])
    method = "PATCH" if operation == "put" else "PUT"
    query = {"force": "true"} if draw.random() < 0.5 else {}
    if operation == "keep":
        query["mode"] = "ids"
        entries = [{"id": entry["id"]} for entry in entries]
    texts = list(map(entry_bytes, entries))
    lines, body = b"\n".join(texts), b""
    if draw.random() < 0.5:
        body = multipart([(kind, f"{kind}.jsonl", lines)])
    else:
        body = multipart([("all.tar.gz", "all.tar.gz", archive({f"{kind}.jsonl": lines}))])
    if draw.random() < CUT:
        _send_cut(customer, draw, method, query, body)
    sent = time.monotonic()
    answer = customer.call(method, "/v1/catalog", body=body, headers=MULTIPART, **query)
    assert answer.status == 200, (answer.status, answer.body[:500])
    customer.accepted.append(
        Accepted(
            answer.json()["task_id"], kind, operation, texts, force="force" in query, sent=sent,
            answered=time.monotonic(),
        )
    )  # fmt: skip


def _send_cut(customer: Patient, draw: random.Random, method: str, query: Mapping[str, str], body: bytes) -> None:
    """Send a form that stops at any byte: the connection breaks off, or a shorter length was promised.

    It must become no task: the laws find one that nobody was told of.
    """
    stop = draw.randrange(len(body) - SPARE)
    promised = draw.choice([stop, len(body)])
    target = f"/v1/catalog?{urlencode({'key': customer.catalog_key, **query})}"
    headers = {"Authorization": customer.authorization, "Content-Length": str(promised), **MULTIPART}
    broken_now = contextlib.suppress(OSError, http.client.HTTPException)
    with broken_now, contextlib.closing(open_connection(draw.choice(customer.urls))) as connection:
        connection.request(method, target, body[:stop], headers)
        if promised == stop:
            status = connection.getresponse().status
            assert status != http.HTTPStatus.OK, f"a form cut off at byte {stop} of {len(body)} is taken"
            customer.cut += status == http.HTTPStatus.BAD_REQUEST
