"""Traces: off costs nothing and imports nothing; on, a trace goes on where it was carried to, and says nothing it must not."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from warnhub import traces
from warnhub.config import ConfigError, load_settings
from warnhub.crypto import make_key

AGENCY = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
QUIET = ("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_SERVICE_NAME", *traces.STANDARD)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable of the machine's own, and nothing left on."""
    for name in QUIET:
        monkeypatch.delenv(name, raising=False)
    yield
    traces.shut_down()


@pytest.fixture
def kept() -> InMemorySpanExporter:
    """Where spans go."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traces.use(provider)
    return exporter


def ids(one: ReadableSpan) -> tuple[str, str, str]:
    """(trace, span, parent) in hex."""
    assert one.context is not None
    return f"{one.context.trace_id:032x}", f"{one.context.span_id:016x}", f"{one.parent.span_id:016x}" if one.parent else ""


def test_off_is_one_object_that_does_nothing() -> None:
    assert traces.span("a", warning="wa_1") is traces.span("b", "client", AGENCY)
    with traces.span("a") as here:
        here.set("warnhub.state", "released")
        assert traces.carried() is None
    with pytest.raises(ZeroDivisionError), traces.span("a"):
        raise ZeroDivisionError


def test_off_imports_nothing() -> None:
    code = (
        "import sys; from warnhub import app, traces; traces.set_up(None, '1', 'n');"
        "assert not [m for m in sys.modules if m.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))], 'imported'"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_framework_traces_nothing_behind_our_back() -> None:
    code = """
import asyncio, httpx
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from warnhub.app import create_app
from warnhub.config import load_settings
from warnhub.crypto import make_key
kept, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
async def ask():
    app = create_app(load_settings(secret_key=make_key()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as client:
        assert (await client.get("/")).status_code == 303
        assert (await client.get("/a/a-token-that-is-a-key")).status_code == 404
asyncio.run(ask())
with trace.get_tracer("x").start_as_current_span("x"):
    pass
assert [one.name for one in kept.get_finished_spans()] == ["x"], kept.get_finished_spans()
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_trace_goes_on_where_it_was_carried_to(kept: InMemorySpanExporter) -> None:
    with traces.span("first", "server", AGENCY, agency="weather", http__route="/v1/alerts"), traces.span("within"):
        ticket = traces.carried()
    assert traces.carried() is None
    with traces.span("stranger"), traces.span("later", "consumer", ticket):
        pass
    within, first, later, stranger = kept.get_finished_spans()
    assert ids(first)[::2] == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert ids(within)[2] == ids(first)[1]
    assert (ids(later)[0], ids(later)[2]) == (ids(first)[0], ids(within)[1]), "not the one that happened to run"
    assert ids(stranger)[0] != ids(first)[0]
    assert dict(first.attributes or {}) == {"warnhub.agency": "weather", "http.route": "/v1/alerts"}
    assert (first.kind.name, later.kind.name) == ("SERVER", "CONSUMER")


@pytest.mark.parametrize("said", ["", "nonsense", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", AGENCY.upper() + "x", "\x00" * 55])
def test_what_is_no_traceparent_begins_a_trace_of_our_own(kept: InMemorySpanExporter, said: str) -> None:
    with traces.span("first", "server", said):
        pass
    (first,) = kept.get_finished_spans()
    assert first.parent is None


def test_an_agency_that_does_not_record_is_not_recorded(kept: InMemorySpanExporter) -> None:
    with traces.span("first", "server", AGENCY[:-1] + "0"):
        ticket = traces.carried()
    assert ticket is not None
    assert (ticket[3:35], ticket[-2:]) == (AGENCY[3:35], "00")
    assert kept.get_finished_spans() == ()


def test_a_failure_is_marked_and_its_words_are_not_kept(kept: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="13800138000"), traces.span("call", "client"):
        raise ValueError("+8613800138000 is not a number")
    (call,) = kept.get_finished_spans()
    assert (call.status.status_code, call.status.description, call.events) == (StatusCode.ERROR, "ValueError", ())


@pytest.mark.parametrize(
    ("endpoint", "variables", "asked"),
    [
        (None, {}, False),
        ("http://c:4318", {}, True),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        (None, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        (None, {"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ("http://c:4318", {"OTEL_SDK_DISABLED": "TRUE"}, False),
        ("http://c:4318", {"OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_when_traces_are_wanted(
    monkeypatch: pytest.MonkeyPatch, endpoint: str | None, variables: dict[str, str], asked: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert traces.wanted(endpoint) is asked


def test_asking_without_the_extra_is_refused_and_a_standing_variable_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(traces.TracesError, match="otel_endpoint"):
        traces.set_up("http://127.0.0.1:4318", "1", "n")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    traces.set_up(None, "1", "n")
    assert traces.running is None


@pytest.mark.parametrize("wrong", ["collector:4318", "ftp://c", "http://user:secret@c:4318", "http://c/a b"])
def test_the_setting_is_an_address_without_a_password(wrong: str) -> None:
    with pytest.raises(ConfigError, match="otel_endpoint") as refused:
        load_settings(secret_key=make_key(), otel_endpoint=wrong)
    assert wrong not in str(refused.value)


class Collector(BaseHTTPRequestHandler):
    """A collector that keeps what it gets."""

    taken: list[tuple[str, ExportTraceServiceRequest]]

    def do_POST(self) -> None:
        """OTLP over HTTP, in protobuf."""
        body = self.rfile.read(int(self.headers["content-length"]))
        assert self.headers["content-type"] == "application/x-protobuf"
        self.taken.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def collector() -> Iterator[str]:
    """Its address."""
    Collector.taken = []
    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("how", ["setting", "variable"])
def test_spans_reach_a_collector_by_otlp(monkeypatch: pytest.MonkeyPatch, collector: str, how: str) -> None:
    if how == "variable":
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "county-7")
    traces.set_up(f"{collector}/" if how == "setting" else None, "0.1.0", "node:1")
    with traces.span("POST /v1/alerts", "server", AGENCY, agency="weather"):
        pass
    traces.shut_down()
    ((path, said),) = Collector.taken
    assert path == "/v1/traces"
    (whole,) = said.resource_spans
    about = {one.key: one.value.string_value for one in whole.resource.attributes}
    assert about["service.name"] == ("county-7" if how == "variable" else "warnhub")
    assert (about["service.version"], about["service.instance.id"]) == ("0.1.0", "node:1")
    (only,) = whole.scope_spans[0].spans
    assert (only.name, only.trace_id.hex()) == ("POST /v1/alerts", AGENCY[3:35])
