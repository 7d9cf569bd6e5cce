"""Where agencies POST what they have to say, in the form they already have."""

import re
from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from warnhub.alert import Problem
from warnhub.api.auth import AgencyDep, CallerDep, HubDep
from warnhub.api.signed import check_request
from warnhub.desk import Refusal
from warnhub.hub import Hub
from warnhub.ingest.forms import MEDIA
from warnhub.inlet.door import answer_of, read_whole, take
from warnhub.monitor.metrics import INGEST
from warnhub.publish.attached import list_attached, read_attached
from warnhub.store.agencies import Agency
from warnhub.store.alerts import Kept, list_alerts, read_alert
from warnhub.traces import Value, span

router = APIRouter(prefix="/v1/alerts", tags=["alerts"])

KEY_LENGTH = 255
FILE = re.compile(r"filename\*?=(?:UTF-8'')?\"?([^\";]{1,255})", re.IGNORECASE)


@router.post("", status_code=201, response_model=None, responses={200: {}, 409: {}, 413: {}, 415: {}, 422: {}})
async def post_alert(request: Request, hub: HubDep, agency: AgencyDep) -> Response:
    """Take an alert in any of the forms that are read. 201 with what became of it, 200 for a repeat."""
    given: dict[str, Value] = {"http__request__method": "POST", "http__route": "/v1/alerts", "agency": agency.id}
    with span("POST /v1/alerts", "server", request.headers.get("traceparent"), **given) as here:
        answer = await answer_post(request, hub, agency)
        here.set("http.response.status_code", answer.status if isinstance(answer, Refusal) else answer.status_code)
    if isinstance(answer, Refusal):
        raise answer
    return answer


async def answer_post(request: Request, hub: Hub, agency: Agency) -> Response | Refusal:
    """The answer to a POST; a refusal is one too, and no failure of ours."""
    try:
        return await take_post(request, hub, agency)
    except Refusal as refusal:
        return refusal


async def take_post(request: Request, hub: Hub, agency: Agency) -> Response:
    """Read, check, keep and decide."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in MEDIA:
        message = f"send one of {', '.join(sorted(MEDIA))}"
        raise Refusal(415, "this content type is not taken", [bad("Content-Type", "UNSUPPORTED_MEDIA", message, media)])
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= KEY_LENGTH:
        raise Refusal(422, "bad Idempotency-Key", [bad("Idempotency-Key", "LENGTH", f"1 to {KEY_LENGTH} characters", key)])
    body = await read_body(request, hub.settings.limits.max_bytes)
    proven = await check_request(request, hub, agency, body)
    with INGEST.time():
        name = file_name(request.headers.get("content-disposition", ""))
        verdicts = await read_whole(hub.desk, agency, body, media, proven, name)
        received = await take(hub.desk, agency, verdicts, body, media, key)
    status, said = answer_of(agency, verdicts, received)
    return JSONResponse(said, status, {"location": said["links"]["alert"]} if "links" in said else None)


def file_name(header: str) -> str | None:
    """The name a file was sent under, which the national profile says much in."""
    found = FILE.search(header)
    return unquote(found[1]).strip() if found else None


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
    attached = [one._asdict() | {"href": f"/v1/alerts/{uid}/attachments/{one.number}"} for one in list_attached(kept.alert)]
    return brief(kept) | {"alert": kept.alert.model_dump(mode="json"), "problems": kept.problems, "attachments": attached}


@router.get("/{uid}/attachments/{number}", response_model=None, response_class=Response)
async def get_attachment(uid: str, number: int, hub: HubDep, caller: CallerDep) -> Response:
    """A file that came in a package with an alert, as it came; for the alert's own agency and for people of the county."""
    async with hub.store.read() as conn:
        kept = await read_alert(conn, uid)
        if kept is None or (caller.agency and kept.agency != caller.agency.id):
            raise Refusal(404, "there is no such alert")
        found = await read_attached(conn, kept, number, hub.settings.limits.max_bytes)
    if found is None:
        raise Refusal(
            404, "this alert has no such attachment", [bad("number", "UNKNOWN_ATTACHMENT", "see `attachments`", str(number))]
        )
    return Response(found[1], media_type=found[0].mime, headers=found[0].headers)


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
