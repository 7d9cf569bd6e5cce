"""Traces for OpenTelemetry: one from an agency's POST to each provider's call, however many processes the way leads through.

Off unless a collector is named: then nothing of OpenTelemetry is imported, and every span is one object that does nothing.
Where the way crosses the store, the warning and its batches carry the trace along as W3C `traceparent`. An attribute holds ids,
counts and our own words, never what somebody said, who is told, or a provider's text: numbers and secrets stand in those.
"""

import os
from types import TracebackType
from typing import Any, Protocol, Self

import structlog

KINDS = ("internal", "server", "client", "producer", "consumer")
STANDARD = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
Value = str | int | bool
log = structlog.get_logger(__name__)


class TracesError(Exception):
    """Traces were asked for and cannot be made."""


class Span(Protocol):
    """A stretch of the way, as a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trail: TracebackType | None) -> None: ...

    def set(self, name: str, value: Value) -> None:
        """One more attribute."""
        ...


class Nothing:
    """The span there is while traces are off."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def set(self, name: str, value: Value) -> None:
        """Nothing."""


NOTHING = Nothing()


class Tracing:
    """Traces that are on: what of OpenTelemetry is used, imported when it is made."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry import context, trace
        from opentelemetry.trace.propagation import tracecontext

        self.provider = provider
        self.tracer = provider.get_tracer("warnhub")
        self.trace, self.context = trace, context
        self.form = tracecontext.TraceContextTextMapPropagator()
        self.kinds = {name: trace.SpanKind[name.upper()] for name in KINDS}
        self.error = trace.StatusCode.ERROR

    def begin(self, name: str, kind: str, parent: str | None, given: dict[str, Value]) -> "Live":
        """A span under `parent`, or under the one that is running."""
        above = self.form.extract({"traceparent": parent}, self.context.Context()) if parent else None
        return Live(self, self.tracer.start_span(name, above, self.kinds[kind], given))

    def carried(self) -> str | None:
        """The running span as `traceparent`."""
        carrier: dict[str, str] = {}
        self.form.inject(carrier)
        return carrier.get("traceparent")


class Live:
    """A span that is recorded. What an exception says is not: it may quote a number."""

    __slots__ = ("made", "token", "tracing")

    def __init__(self, tracing: Tracing, made: Any) -> None:
        self.tracing = tracing
        self.made = made
        self.token: Any = None

    def __enter__(self) -> Self:
        self.token = self.tracing.context.attach(self.tracing.trace.set_span_in_context(self.made))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trail: TracebackType | None) -> None:
        self.tracing.context.detach(self.token)
        if kind is not None:
            self.made.set_status(self.tracing.error, kind.__name__)
        self.made.end()

    def set(self, name: str, value: Value) -> None:
        """One more attribute."""
        self.made.set_attribute(name, value)


running: Tracing | None = None


def span(name: str, kind: str = "internal", parent: str | None = None, **given: Value) -> Span:
    """A stretch of the way. `parent`: the `traceparent` that came with the work; without one it is part of what runs. `given`:
    attributes, `__` for a dot and under `warnhub.` where there is none."""
    if running is None:
        return NOTHING
    named = {key.replace("__", ".") if "__" in key else f"warnhub.{key}": value for key, value in given.items()}
    return running.begin(name, kind, parent, named)


def carried() -> str | None:
    """What to keep with work that somebody else goes on with; None while nothing is traced."""
    return running.carried() if running else None


def wanted(endpoint: str | None) -> bool:
    """Whether traces are asked for, by our setting or by the standard variables."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    off = off or os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    return not off and bool(endpoint or any(os.environ.get(name, "").strip() for name in STANDARD))


def set_up(endpoint: str | None, version: str, node: str) -> None:
    """Begin to export to a collector by OTLP over HTTP, if one is named. `endpoint`: its address without the path of the
    signal; None leaves it to the standard `OTEL_*` variables, which set all else too (sampler, headers, time limits).

    Raises `TracesError` if our own setting asks for it and the extra is not installed.
    """
    if not wanted(endpoint):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        if endpoint:
            raise TracesError("otel_endpoint: traces need the extra: pip install 'warnhub[otel]'") from error
        log.warning("traces.off", reason="a collector is named by OTEL_*, and the extra warnhub[otel] is not installed")
        return
    about = {"service.version": version, "service.instance.id": node}
    about |= {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "warnhub"}
    provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces") if endpoint else OTLPSpanExporter()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    use(provider)
    log.info("traces.on")


def use(provider: Any) -> None:
    """Record with this provider of OpenTelemetry; None ends it."""
    global running
    running = None if provider is None else Tracing(provider)


def shut_down() -> None:
    """Export what is left, and end; waits for the collector."""
    if running is not None:
        provider = running.provider
        use(None)
        provider.shutdown()
