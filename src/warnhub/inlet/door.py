"""Bytes from an agency → what became of them, or a refusal that names field, rule and value."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from warnhub.alert import Gate, Problem, Verdict
from warnhub.desk import Desk, Received, Refusal
from warnhub.ingest.forms import read_alerts
from warnhub.ingest.package import START
from warnhub.monitor.metrics import ALERTS
from warnhub.store.agencies import Agency
from warnhub.store.trust import read_trust
from warnhub.traces import span

SMALL = 32_000


async def read_document(
    desk: Desk, agency: Agency, body: bytes, media: str | None, proven: bool = False, name: str | None = None
) -> list[Verdict]:
    """One verdict an alert; a large document is read beside the loop. `proven`: whoever brought it has signed for it; `name`:
    the file's."""
    with span("alert.read", bytes=len(body)):
        async with desk.store.read() as conn:
            now = datetime.fromtimestamp(await desk.store.now(conn) / 1_000, UTC)
            bounds = desk.limits(agency, await read_trust(conn, agency.id), proven)
        if len(body) <= SMALL:
            return read_alerts(body, media, bounds, now, name)
        return await asyncio.to_thread(read_alerts, body, media, bounds, now, name)


async def read_whole(
    desk: Desk, agency: Agency, body: bytes, media: str, proven: bool = False, name: str | None = None
) -> list[Verdict]:
    """The verdicts on a document that is taken whole or not at all; 422 if any of its alerts must be refused."""
    verdicts = await read_document(desk, agency, body, media, proven, name)
    refused = refusals(verdicts)
    if refused or not verdicts:
        empty = Problem(path="", rule="EMPTY", message="there is no alert in it")
        raise Refusal(422, "the alert cannot be taken", refused or [empty])
    return verdicts


def refusals(verdicts: Sequence[Verdict]) -> list[Problem]:
    """Why any of them must be refused."""
    return [problem for v in verdicts if v.gate is Gate.REFUSE for problem in v.problems if problem.gate is Gate.REFUSE]


async def take(
    desk: Desk, agency: Agency, verdicts: Sequence[Verdict], body: bytes, media: str, key: str | None
) -> list[Received]:
    """The alerts of a document, all or none."""
    try:
        with span("alert.assess", agency=agency.id, alerts=len(verdicts)) as here:
            received = await desk.receive_all(agency, verdicts, body, media, key)
            here.set("warnhub.state", ",".join(sorted({one.state for one in received})))
    except Refusal:
        ALERTS.labels(agency.id, "refused").inc(len(verdicts))
        raise
    for one in received:
        ALERTS.labels(agency.id, "repeated" if one.repeated else one.state).inc()
    return received


@dataclass(slots=True)
class Outcome:
    """What became of one document of many alerts, each by itself."""

    received: list[Received]
    refused: list[Refusal]
    elsewhere: int = 0

    @property
    def problems(self) -> list[Problem]:
        """Everything that was refused."""
        return [problem for refusal in self.refused for problem in refusal.problems]


async def take_each(desk: Desk, agency: Agency, body: bytes, media: str | None, source: str = "") -> Outcome:
    """A document that nobody can send again in parts: what can be taken of it is, and the rest is refused.

    With a `source` what surely concerns other counties alone is put down under its name, and not taken.
    """
    with span("alert.receive", "consumer", agency=agency.id):
        return await take_apart(desk, agency, body, media, source)


async def take_apart(desk: Desk, agency: Agency, body: bytes, media: str | None, source: str) -> Outcome:
    """Each alert of a document by itself."""
    outcome = Outcome([], [])
    verdicts = await read_document(desk, agency, body, media)
    for verdict in verdicts:
        whole = len(verdicts) == 1 or verdict.alert is None or body.startswith(START)  # a package has the attachments too
        own = body if whole or verdict.alert is None else verdict.alert.model_dump_json().encode()
        try:
            if verdict.gate is Gate.REFUSE:
                raise Refusal(422, "the alert cannot be taken", refusals([verdict]))
            if source and await desk.pass_by(agency, verdict, source):
                ALERTS.labels(agency.id, "elsewhere").inc()
                outcome.elsewhere += 1
                continue
            outcome.received += await take(desk, agency, [verdict], own, media or "", None)
        except Refusal as refusal:
            outcome.refused.append(refusal)
    return outcome


def told(received: Received) -> dict[str, Any]:
    """What an agency gets to see of it, with paths to follow."""
    links = {"alert": f"/v1/alerts/{received.alert}"}
    if received.warning:
        links["warning"] = f"/v1/warnings/{received.warning}"
    return {
        "id": received.alert,
        "state": received.state,
        "warning": received.warning,
        "repeated": received.repeated,
        "reasons": received.reasons,
        "notes": [problem.model_dump(mode="json") for problem in received.problems],
        "links": links,
    }


def answer_of(agency: Agency, verdicts: Sequence[Verdict], received: Sequence[Received]) -> tuple[int, dict[str, Any]]:
    """The answer to a document that was taken: 201, 200 for a repeat; readings that ask for no alert stand beside."""
    quiet = [one for one in verdicts if one.alert is None]
    if len(received) == 1 and not quiet:
        return (200 if received[0].repeated else 201), told(received[0])
    ALERTS.labels(agency.id, "normal").inc(len(quiet))
    readings = [[problem.model_dump(mode="json") for problem in one.problems] for one in quiet]
    status = 200 if all(item.repeated for item in received) else 201
    return status, {"alerts": [told(item) for item in received], "readings": readings}


def refused_document(refusal: Refusal) -> dict[str, Any]:
    """The problem document of a refusal (RFC 9457)."""
    errors = [problem.model_dump(mode="json", exclude={"gate"}) for problem in refusal.problems]
    return {"type": "about:blank", "title": refusal.title, "status": refusal.status, "errors": errors}
