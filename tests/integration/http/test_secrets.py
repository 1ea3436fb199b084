"""Secrets appear nowhere: not in the store, not in a log, not in an answer, not in a job."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest
import redis
from kombu.exceptions import ContentDisallowed
from kombu.serialization import dumps, loads

from api.services import EXTENSION
from shared.credentials import Credential, Scope, digest_of
from shared.doorbell import doorbell_app
from tests.support.ingress import Ingress
from tests.support.pages import Pages
from tests.support.rig import ACME

SECRET = "tok-CONFIDENTIAL-8e03978e"
WRONG = "tok-CONFIDENTIAL-but-wrong"


def stored(client: redis.Redis) -> Iterator[bytes]:
    """Everything in the store as text: names, fields, members."""
    readers = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"stream": client.xrange,
    }
    for key in client.scan_iter(count=1000):
        yield key + b" " + repr(readers[client.type(key)](key)).encode()


def test_a_token_is_kept_nowhere(ingress: Ingress, capfd: pytest.CaptureFixture[str]) -> None:
    """Only its digest is; who sent what is told by the name of the token."""
    credentials = ingress.app.extensions[EXTENSION].credentials
    credentials.store(Credential("feed", digest_of(SECRET), {ACME: Scope.READ_WRITE}))
    ingress.rig.clock.advance(2_000)
    good, answers = {"token": SECRET}, []
    body = {"items": [{"id": "a", "name": "Item a"}]}
    for headers in ({}, {"Authorization": f"Bearer {SECRET}"}, {"Authorization": f"Digest {SECRET}"}):
        answers.append(ingress.send("PUT", "/v2/items", body, headers={"Idempotency-Key": "k", **headers}, **good))
    answers.append(ingress.send("PUT", "/v2/items", b"{", **good))
    answers.append(ingress.send("PUT", "/v2/items", body, token=WRONG))
    answers.append(ingress.send("PATCH", "/v2/items", body, **good))
    answers.append(ingress.send("PATCH", "/v1/tasks/2", {"status": "CANCELED"}, **good))
    answers.append(ingress.send("GET", "/v1/tasks", **good))
    pages = Pages(ingress)
    answers += [pages.sign_in(SECRET), pages.get("/now"), pages.sign_in(WRONG)]
    ingress.rig.drain()
    answers.append(ingress.send("GET", "/v1/tasks/1", **good))
    assert {answer.status_code for answer in answers} == {200, 302, 400, 401, 403}
    written = capfd.readouterr()
    told = [
        written.err,
        written.out,
        repr(ingress.doorbell.rung),
        *(answer.text + str(answer.headers) for answer in answers),
    ]
    found = [text for text in told if "CONFIDENTIAL" in text]
    found += [text for text in map(bytes.decode, stored(ingress.rig.client)) if "CONFIDENTIAL" in text]
    assert found == []
    assert "feed" in written.err


def test_a_pickled_message_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By workers and by whoever rings: to read one is to run it."""
    monkeypatch.setenv("SLUICE_REDIS_URL", "unix:///nowhere")
    worker = importlib.import_module("workers.app").celery
    accepted = worker.conf.accept_content
    assert accepted == doorbell_app("memory://").conf.accept_content
    content_type, encoding, payload = dumps({"key": "value"}, serializer="pickle")
    with pytest.raises(ContentDisallowed):
        loads(payload, content_type, encoding, accept=accepted)
