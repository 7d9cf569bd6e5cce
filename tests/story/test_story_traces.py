"""One trace from an agency's POST to each provider's call, through the store and the bus, and no number in any of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from townhall import TOWNS, Opener, Town, make_alert

from warnhub import traces

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
AGENCY = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def kept() -> Iterator[InMemorySpanExporter]:
    """Where the spans of a story go."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traces.use(provider)
    yield exporter
    traces.use(None)


def of_trace(kept: InMemorySpanExporter, trace: str = TRACE) -> dict[int, ReadableSpan]:
    """The finished spans of one trace, by their id."""
    return {s.context.span_id: s for s in kept.get_finished_spans() if s.context and f"{s.context.trace_id:032x}" == trace}


def way(spans: dict[int, ReadableSpan], one: ReadableSpan) -> list[str]:
    """From a span up to where it began."""
    names = [one.name]
    while one.parent is not None and one.parent.span_id in spans:
        one = spans[one.parent.span_id]
        names.append(one.name)
    assert one.parent is not None, "the agency's own span is above all"
    assert f"{one.parent.span_id:016x}" == "00f067aa0ba902b7"
    return names


def said(one: ReadableSpan) -> dict[str, Any]:
    """A span's attributes."""
    return dict(one.attributes or {})


async def test_a_trace_leads_from_the_post_to_every_call(visit: Opener, kept: InMemorySpanExporter) -> None:
    """What leaves at once, and what an officer releases: each call is under the agency's own span."""
    async with visit() as town:
        answer = await town.post(make_alert("t-1", level="yellow", areas=TOWNS[:1]), traceparent=AGENCY)
        assert answer.json()["state"] == "released", answer.text
        found = await town.settle(answer.json()["warning"])
        spans = of_trace(kept)
        calls = [one for one in spans.values() if one.name == "provider.call"]
        assert calls
        for call in calls:
            assert way(spans, call) == ["provider.call", "batch.send", "warning.plan", "alert.assess", "POST /v1/alerts"]
            assert call.kind.name == "CLIENT"
        assert sum(said(call)["warnhub.messages"] for call in calls) == found.planned
        assert {said(call)["warnhub.channel"] for call in calls} == {part.key for part in found.channels if part.funnel.total}
        assert {said(call)["warnhub.outcome"] for call in calls} == {"accepted"}
        (post,) = [one for one in spans.values() if one.name == "POST /v1/alerts"]
        assert said(post)["http.response.status_code"] == 201
        await no_number(town, kept)


async def test_what_an_officer_releases_is_part_of_the_same_trace(visit: Opener, kept: InMemorySpanExporter) -> None:
    """The alert waits, in a process that may end meanwhile; its trace waits with it."""
    async with visit() as town:
        answer = await town.post(make_alert("t-2", level="yellow", areas=TOWNS[:1]), "water", traceparent=AGENCY)
        uid = answer.json()["warning"]
        assert answer.json()["state"] == "pending", answer.text
        await town.stop()
        traces.use(town_provider(kept))  # the end of a process ends its traces
        await town.start()
        assert (await town.act(uid, "release")).status_code == 200
        await town.settle(uid)
        spans = of_trace(kept)
        calls = [one for one in spans.values() if one.name == "provider.call"]
        ways = {tuple(way(spans, call)) for call in calls}
        assert ways == {
            ("provider.call", "batch.send", "warning.plan", "warning.release", "alert.assess", "POST /v1/alerts"),
        }


def town_provider(kept: InMemorySpanExporter) -> TracerProvider:
    """Another provider to the same place."""
    kept._stopped = False
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return provider


async def test_a_refusal_is_traced_as_an_answer(visit: Opener, kept: InMemorySpanExporter) -> None:
    """It is no failure of ours, and what was said is not kept."""
    async with visit() as town:
        answer = await town.post(b'{"identifier": "13800138000"}', traceparent=AGENCY)
        assert answer.status_code == 422
        (post,) = [one for one in of_trace(kept).values() if one.name == "POST /v1/alerts"]
        assert (said(post)["http.response.status_code"], post.status.is_ok) == (422, True)
        assert "13800138000" not in str([said(one) for one in kept.get_finished_spans()])


async def no_number(town: Town, kept: InMemorySpanExporter) -> None:
    """No address of anybody, and no key, in anything that is exported."""
    whole = "\n".join(f"{one.name} {said(one)} {one.status.description} {one.events}" for one in kept.get_finished_spans())
    assert len(town.owners) > 500
    assert [place for place in town.owners if place[1] in whole] == []
    assert [key for key in (*town.base.agencies.values(), *town.base.tokens.values(), town.base.key) if key in whole] == []
