"""Where agencies POST what they have to say, in the form they already have."""

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from warnhub.alert import Gate, Problem, Verdict
from warnhub.api.auth import AgencyDep, CallerDep, HubDep
from warnhub.api.signed import check_request
from warnhub.desk import Received, Refusal
from warnhub.hub import Hub
from warnhub.ingest.findings import Limits
from warnhub.ingest.forms import MEDIA, read_alerts
from warnhub.monitor.metrics import ALERTS, INGEST
from warnhub.store.agencies import Agency
from warnhub.store.alerts import Kept, list_alerts, read_alert
from warnhub.store.trust import Trust, read_trust

router = APIRouter(prefix="/v1/alerts", tags=["alerts"])

SMALL = 32_000
KEY_LENGTH = 255
FILE = re.compile(r"filename\*?=(?:UTF-8'')?\"?([^\";]{1,255})", re.IGNORECASE)


@router.post("", status_code=201, response_model=None, responses={200: {}, 409: {}, 413: {}, 415: {}, 422: {}})
async def post_alert(request: Request, hub: HubDep, agency: AgencyDep) -> Response:
    """Take an alert in any of the forms that are read. 201 with what became of it, 200 for a repeat."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in MEDIA:
        message = f"send one of {', '.join(sorted(MEDIA))}"
        raise Refusal(415, "this content type is not taken", [bad("Content-Type", "UNSUPPORTED_MEDIA", message, media)])
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= KEY_LENGTH:
        raise Refusal(422, "bad Idempotency-Key", [bad("Idempotency-Key", "LENGTH", f"1 to {KEY_LENGTH} characters", key)])
    body = await read_body(request, hub.settings.limits.max_bytes)
    trust, now = await find_trust(hub, agency)
    proven = await check_request(request, hub, agency, trust, body)
    with INGEST.time():
        name = file_name(request.headers.get("content-disposition", ""))
        verdicts = await read_verdicts(body, media, hub.desk.limits(agency, trust, proven), now, name)
        received = await take(hub, agency, verdicts, body, media, key)
    quiet = [one for one in verdicts if one.alert is None]
    if len(received) == 1 and not quiet:
        return answer(request, received[0])
    ALERTS.labels(agency.id, "normal").inc(len(quiet))
    status = 200 if all(item.repeated for item in received) else 201
    readings = [[problem.model_dump() for problem in one.problems] for one in quiet]
    return JSONResponse({"alerts": [shown(request, item) for item in received], "readings": readings}, status)


async def take(
    hub: Hub, agency: Agency, verdicts: Sequence[Verdict], body: bytes, media: str, key: str | None
) -> list[Received]:
    """The alerts of a document, all or none."""
    try:
        received = await hub.desk.receive_all(agency, verdicts, body, media, key)
    except Refusal:
        ALERTS.labels(agency.id, "refused").inc(len(verdicts))
        raise
    for one in received:
        ALERTS.labels(agency.id, "repeated" if one.repeated else one.state).inc()
    return received


async def find_trust(hub: Hub, agency: Agency) -> tuple[Trust, datetime]:
    """What is agreed with the agency about signatures and coordinates, and the database's time."""
    async with hub.store.read() as conn:
        now = datetime.fromtimestamp(await hub.store.now(conn) / 1_000, UTC)
        return await read_trust(conn, agency.id), now


def file_name(header: str) -> str | None:
    """The name a file was sent under, which the national profile says much in."""
    found = FILE.search(header)
    return unquote(found[1]).strip() if found else None


async def read_verdicts(body: bytes, media: str, bounds: Limits, now: datetime, name: str | None = None) -> list[Verdict]:
    """Read the document; a large one beside the loop. 422 if any of its alerts must be refused: it is taken whole or not."""
    if len(body) <= SMALL:
        verdicts = read_alerts(body, media, bounds, now, name)
    else:
        verdicts = await asyncio.to_thread(read_alerts, body, media, bounds, now, name)
    refused = [problem for v in verdicts if v.gate is Gate.REFUSE for problem in v.problems if problem.gate is Gate.REFUSE]
    if refused or not verdicts:
        raise Refusal(422, "the alert cannot be taken", refused or [bad("", "EMPTY", "there is no alert in it", "")])
    return verdicts


async def read_body(request: Request, most: int) -> bytes:
    """The body, refused as soon as it is too large: before anything is parsed."""
    said = request.headers.get("content-length", "")
    parts: list[bytes] = []
    size = int(said) if said.isdigit() else 0
    if size <= most:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                break
            parts.append(part)
    if size > most:
        raise Refusal(413, "too large", [bad("body", "TOO_LARGE", f"at most {most} bytes", str(size))])
    return b"".join(parts)


def bad(path: str, rule: str, message: str, value: str) -> Problem:
    """One thing wrong with the request."""
    return Problem(path=path, rule=rule, message=message, value=value)


def shown(request: Request, received: Received) -> dict[str, Any]:
    """What the agency gets to see, with links to follow."""
    links = {"alert": str(request.app.url_path_for("get_alert", uid=received.alert))}
    if received.warning:
        links["warning"] = str(request.app.url_path_for("get_warning", uid=received.warning))
    return {
        "id": received.alert,
        "state": received.state,
        "warning": received.warning,
        "repeated": received.repeated,
        "reasons": received.reasons,
        "notes": [problem.model_dump() for problem in received.problems],
        "links": links,
    }


def answer(request: Request, received: Received) -> JSONResponse:
    """201 for a new alert, 200 for a repeat."""
    body = shown(request, received)
    return JSONResponse(body, 200 if received.repeated else 201, {"location": body["links"]["alert"]})


@router.get("")
async def get_alerts(hub: HubDep, caller: CallerDep, before: int | None = None, most: int = 50) -> dict[str, Any]:
    """The newest alerts; an agency sees its own."""
    async with hub.store.read() as conn:
        found = await list_alerts(conn, caller.agency.id if caller.agency else None, before, min(max(most, 1), 200))
    return {"alerts": [brief(kept) for kept in found], "next": found[-1].id if found else None}


@router.get("/{uid}", name="get_alert")
async def get_alert(uid: str, hub: HubDep, caller: CallerDep) -> dict[str, Any]:
    """One alert, whole."""
    async with hub.store.read() as conn:
        kept = await read_alert(conn, uid)
    if kept is None or (caller.agency and kept.agency != caller.agency.id):
        raise Refusal(404, "there is no such alert")
    return brief(kept) | {"alert": kept.alert.model_dump(mode="json"), "problems": kept.problems}


def brief(kept: Kept) -> dict[str, Any]:
    """One line about an alert."""
    alert = kept.alert
    return {
        "id": kept.uid,
        "agency": kept.agency,
        "state": kept.state,
        "identifier": alert.identifier,
        "sender": alert.sender,
        "sent": alert.sent.isoformat(),
        "kind": alert.kind,
        "status": alert.status,
        "hazard": alert.hazard,
        "level": alert.level,
        "headline": alert.text().headline,
        "received_at": kept.received_at,
    }
