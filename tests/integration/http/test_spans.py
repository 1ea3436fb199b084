"""Spans for OpenTelemetry: one trace from a request to what is told about its task; off, nothing."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.errors import BadSetting, Misconfigured
from shared.outbox.outbox import Outbox
from shared.outbox.webhooks import Webhooks
from shared.tasks.records import Tasks
from shared.telemetry import spans
from tests.support.batches import items
from tests.support.ingress import Ingress
from tests.support.postman import deliver_all
from tests.support.receivers import http_endpoint
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer
from workers.deliver.deliverer import Deliverer
from workers.drain.task_spans import TaskSpans

ROOT = Path(__file__).parents[3]
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Keeps all spans in memory, for as long as the test runs."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans.use(provider)
    yield exporter
    spans.use(None)


@pytest.fixture
def ingress(exporter: InMemorySpanExporter, rig: Rig, store_server: StoreServer) -> Ingress:
    return Ingress(rig, store_server.url)


def drain(rig: Rig) -> None:
    rig.drainer(task_spans=TaskSpans(functools.partial(Tasks, rig.client))).drain(ACME)


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def test_a_task_is_one_trace_from_its_request_to_its_delivery(
    rig: Rig, ingress: Ingress, exporter: InMemorySpanExporter
) -> None:
    """That of the request's traceparent; each part below the request's own span, with its catalog and task."""
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    with http_endpoint() as endpoint:
        Webhooks(rig.client, ACME).add(endpoint.url, private=True, now_ms=rig.clock())
        exporter.clear()
        task_id = ingress.write("PUT", "/v2/items", {"items": items("a")}, headers=headers)
        rig.clock.advance(3_000)
        drain(rig)
        deliverer = Deliverer(
            functools.partial(Outbox, rig.client), functools.partial(Webhooks, rig.client), None, private=True,
            clock=rig.clock,
        )  # fmt: skip
        deliver_all(deliverer, rig)
    found = by_name(exporter)
    assert found.keys() == {"PUT /v2/items", "submit", "queue", "drain", "deliver"}
    assert {f"{span.context.trace_id:032x}" for span in found.values()} == {TRACE}
    request = found.pop("PUT /v2/items")
    assert f"{request.parent.span_id:016x}" == PARENT
    assert {span.parent.span_id for span in found.values()} == {request.context.span_id}
    for span in found.values():
        facts = dict(span.attributes)
        assert (facts["sluice.catalog_key"], facts["sluice.task_id"]) == (ACME, task_id), span.name
    assert (found["queue"].end_time - found["queue"].start_time) == 3_000 * 10**6
    assert found["deliver"].attributes["http.response.status_code"] == 204
    assert request.attributes["http.response.status_code"] == 200


def test_what_fails_is_marked(rig: Rig, ingress: Ingress, exporter: InMemorySpanExporter) -> None:
    """A request without a trace begins one; one that is refused has no task below it."""
    ingress.write("PATCH", "/v2/items", {"items": items("none")})
    ingress.send("PUT", "/v2/items", b"{")
    ingress.get("/health/live")
    drain(rig)
    found = by_name(exporter)
    assert "GET /health/live" not in found
    drained = found["drain"]
    assert (drained.status.is_ok, "items not found" in drained.status.description) == (False, True)
    assert drained.context.trace_id == found["PATCH /v2/items"].context.trace_id
    assert found["PATCH /v2/items"].parent is None
    assert found["PUT /v2/items"].attributes["http.response.status_code"] == 400


def test_nothing_is_imported_while_it_is_off() -> None:
    """No tracing, neither by the ingress nor by a worker, though it is installed (redis-py looks at its metrics)."""
    program = (
        "import sys, api.wsgi, workers.app\n"
        "ours = ('opentelemetry.sdk.trace', 'opentelemetry.exporter')\n"
        "print([name for name in sys.modules if name.startswith(ours)])"
    )
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        "SLUICE_REDIS_URL": "unix:///nowhere",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_SDK_DISABLED": "true",
    }
    ran = subprocess.run([sys.executable, "-c", program], env=environ, cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout == "[]\n", ran.stderr


def test_spans_are_sent_where_the_standard_variables_say() -> None:
    """As OTLP over HTTP, with the name of the service, at the latest when the process ends."""
    got: list[tuple[str, str | None, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.headers["x-who"], self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    program = (
        "import os; from shared.telemetry import spans; spans.configure(os.environ, service='sluice-worker')\n"
        "with spans.span('drain', catalog_key='acme'): pass"
    )
    environ = {
        "PATH": os.environ["PATH"],
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-who=me",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
    }
    ran = subprocess.run([sys.executable, "-c", program], env=environ, cwd=ROOT, capture_output=True, text=True)
    server.shutdown()
    server.server_close()
    thread.join()
    assert ran.returncode == 0, ran.stderr
    [(path, who, body)] = got
    assert (path, who) == ("/v1/traces", "me")
    for part in (b"sluice-worker", b"drain", b"sluice.catalog_key", b"acme"):
        assert part in body


def test_a_protocol_that_is_not_spoken_is_refused_in_one_line() -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    with pytest.raises(BadSetting, match="only http/protobuf is spoken"):
        spans.configure(environ, service="x")
    assert not spans.are_on()


def test_a_missing_package_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setattr(spans, "find_spec", lambda name: None)
    with pytest.raises(Misconfigured, match=r"pip install 'sluice\[otel\]'"):
        spans.check({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318"})
