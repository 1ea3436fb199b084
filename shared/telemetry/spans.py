"""Spans for OpenTelemetry.  Off, and nothing of it imported, unless its standard variables say where to send them.

What happens in other processes, or later, joins a trace by the ``traceparent`` that a task carries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from importlib.util import find_spec
from typing import Any

from shared.errors import BadSetting, Misconfigured

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_ONLY_PROTOCOL = "http/protobuf"


class SpanKind(Enum):
    """The side of a call that a span shows, named as OpenTelemetry does."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"


class Span:
    """One span, or nothing while spans are off."""

    def __init__(self, recorded: Any = None) -> None:
        self._recorded = recorded

    @property
    def traceparent(self) -> str:
        """Name this span as the parent of others (W3C Trace Context)."""
        if self._recorded is None:
            return ""
        context = self._recorded.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"

    def set(self, **attributes: Any) -> None:
        """Add attributes; `catalog_key` becomes `sluice.catalog_key`, names with a dot stay."""
        if self._recorded is not None:
            self._recorded.set_attributes(_named(attributes))

    def rename(self, name: str) -> None:
        if self._recorded is not None:
            self._recorded.update_name(name)

    def fail(self, reason: str) -> None:
        """Mark it as failed."""
        if self._recorded is not None:
            from opentelemetry.trace import Status, StatusCode

            self._recorded.set_status(Status(StatusCode.ERROR, reason))

    def end(self, at_ms: int | None = None) -> None:
        if self._recorded is not None:
            self._recorded.end(None if at_ms is None else at_ms * 1_000_000)


_NONE = Span()


class _Tracing:
    """Who makes the spans of this process; None: nobody."""

    tracer: Any = None


def check(environ: Mapping[str, str]) -> bool:
    """Return whether OpenTelemetry's variables say where to send spans.

    Raises Misconfigured if what sends them is not installed, BadSetting if it does not speak their protocol.
    """
    disabled = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    if disabled or not any(environ.get(name) for name in _ENDPOINTS):
        return False
    for name in _PROTOCOLS:
        if environ.get(name, _ONLY_PROTOCOL) != _ONLY_PROTOCOL:
            raise BadSetting(f"{name}={environ[name]}: only {_ONLY_PROTOCOL} is spoken")
    for module in ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http"):
        try:
            found = find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise Misconfigured(f"OTEL_EXPORTER_OTLP_ENDPOINT is set, and {module} missing: pip install 'sluice[otel]'")
    return True


def configure(environ: Mapping[str, str], *, service: str) -> None:
    """Switch spans on if OpenTelemetry's variables say where to send them.  Raises as `check`."""
    if not check(environ):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = environ.get("OTEL_SERVICE_NAME") or service
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    use(provider)


def use(provider: Any) -> None:
    """Make spans with a provider of OpenTelemetry's; None switches them off."""
    _Tracing.tracer = None if provider is None else provider.get_tracer("sluice")


def are_on() -> bool:
    return _Tracing.tracer is not None


def begin(
    name: str,
    *,
    parent: str = "",
    kind: SpanKind = SpanKind.INTERNAL,
    start_ms: int | None = None,
    **attributes: Any,
) -> Span:
    """Begin a span, which has to be ended, below the one that a ``traceparent`` names."""
    tracer = _Tracing.tracer
    if tracer is None:
        return _NONE
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract({"traceparent": parent}, Context()) if parent else Context()
    started = tracer.start_span(
        name,
        context=context,
        kind=trace.SpanKind[kind.value],
        attributes=_named(attributes),
        start_time=None if start_ms is None else start_ms * 1_000_000,
    )
    return Span(started)


@contextmanager
def span(name: str, *, parent: str = "", kind: SpanKind = SpanKind.INTERNAL, **attributes: Any) -> Iterator[Span]:
    """Make a span of what is done inside; an exception marks it as failed and goes on."""
    begun = begin(name, parent=parent, kind=kind, **attributes)
    try:
        yield begun
    except Exception as error:
        begun.fail(type(error).__name__)
        raise
    finally:
        begun.end()


def _named(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name if "." in name else f"sluice.{name}": value for name, value in attributes.items() if value is not None}
