"""Warnings for machines: what became of them, whom they reached, and the decisions about them."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from warnhub.api.auth import Caller, CallerDep, HubDep
from warnhub.desk import Refusal
from warnhub.forecast import Outlook, describe_forecast
from warnhub.hub import Hub
from warnhub.monitor.summary import Summary
from warnhub.store.people import list_deliveries, list_events, list_unconfirmed
from warnhub.store.warnings import Warning, find_warning, list_warnings

router = APIRouter(prefix="/v1/warnings", tags=["warnings"])
Most = Annotated[int, Query(ge=1, le=1_000)]


class Why(BaseModel):
    """A decision's reason; `all_clear`: tell whom it told that it is over."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=500)
    all_clear: bool = True


async def visible(hub: Hub, caller: Caller, uid: str) -> Warning:
    """A warning this caller may see; 404 otherwise."""
    async with hub.store.read() as conn:
        warning = await find_warning(conn, uid)
    if warning is None or (caller.agency and warning.agency_id != caller.agency.id):
        raise Refusal(404, "there is no such warning")
    return warning


def brief(warning: Warning) -> dict[str, Any]:
    """One line about a warning."""
    keep = ("state", "kind", "hazard", "hazard_class", "level", "headline", "approvals", "version")
    line: dict[str, Any] = {"id": warning.uid, "agency": warning.agency_id, "drill": warning.drill}
    line |= {name: getattr(warning, name) for name in keep}
    return line | {name: getattr(warning, name) for name in ("created_at", "released_at", "ended_at", "expires_at")}


@router.get("")
async def get_warnings(hub: HubDep, caller: CallerDep, most: Most = 50) -> dict[str, Any]:
    """The newest warnings; an agency sees its own."""
    async with hub.store.read() as conn:
        found = await list_warnings(conn, caller.agency.id if caller.agency else None, most)
    return {"warnings": [brief(warning) for warning in found]}


@router.get("/{uid}", name="get_warning")
async def get_warning(uid: str, hub: HubDep, caller: CallerDep) -> dict[str, Any]:
    """One warning with its timeline."""
    warning = await visible(hub, caller, uid)
    async with hub.store.read() as conn:
        events = await list_events(conn, warning.id)
    return brief(warning) | {"events": events}


@router.post("/{uid}/release")
async def release(uid: str, hub: HubDep, caller: CallerDep) -> dict[str, Any]:
    """One officer's yes. It leaves when as many different officers have said so as it takes."""
    caller.require("duty")
    return brief(await hub.desk.release(uid, caller.actor))


@router.post("/{uid}/reject")
async def reject(uid: str, body: Why, hub: HubDep, caller: CallerDep) -> dict[str, Any]:
    """It does not leave."""
    caller.require("duty")
    return brief(await hub.desk.reject(uid, caller.actor, body.why))


@router.post("/{uid}/cancel")
async def cancel(uid: str, body: Why, hub: HubDep, caller: CallerDep) -> dict[str, Any]:
    """Stop it now; by default an all-clear follows to exactly those whom it told."""
    caller.require("duty")
    return brief(await hub.desk.cancel(uid, caller.actor, body.why, body.all_clear))


@router.get("/{uid}/summary")
async def get_summary(uid: str, hub: HubDep, caller: CallerDep) -> Summary:
    """The figures, at most a second old; they cost the same for any number of deliveries."""
    await visible(hub, caller, uid)
    summary = await hub.monitor.summary(uid)
    assert summary is not None
    return summary


@router.get("/{uid}/forecast")
async def get_forecast(uid: str, hub: HubDep, caller: CallerDep) -> Outlook:
    """What releasing it would do: people, messages, cost, and the time it takes. Once it is released, `eta` of its summary says
    what is left; 409 then."""
    warning = await visible(hub, caller, uid)
    if warning.state != "pending":
        raise Refusal(409, f"this warning is {warning.state}: its summary says what has become of it")
    return describe_forecast(await hub.forecasts.make(warning))


@router.get("/{uid}/deliveries")
async def get_deliveries(uid: str, hub: HubDep, caller: CallerDep, after: str = "0.0", most: Most = 200) -> dict[str, Any]:
    """Delivery by delivery, a page at a time; `next` is the cursor for the one after."""
    warning = await visible(hub, caller, uid)
    head, _, tail = after.partition(".")
    if not (head.isdigit() and tail.isdigit()):
        raise Refusal(422, "`after` must be a cursor from an earlier page")
    async with hub.store.read() as conn:
        lines = await list_deliveries(conn, warning.id, (int(head), int(tail)), most)
    return {"deliveries": lines, "next": lines[-1]["cursor"] if len(lines) == most else None}


@router.get("/{uid}/unconfirmed")
async def get_unconfirmed(uid: str, hub: HubDep, caller: CallerDep, after: int = 0, most: Most = 200) -> dict[str, Any]:
    """Who still has to confirm."""
    warning = await visible(hub, caller, uid)
    async with hub.store.read() as conn:
        lines = await list_unconfirmed(conn, warning.id, after, most)
    return {"unconfirmed": lines, "next": lines[-1]["id"] if len(lines) == most else None}


@router.get("/{uid}/stream")
async def get_stream(uid: str, request: Request, hub: HubDep, caller: CallerDep) -> StreamingResponse:
    """Server-sent events: `summary` whenever the figures change, at most once a second; a comment every 15 s."""
    await visible(hub, caller, uid)

    async def events() -> AsyncIterator[bytes]:
        async for summary in hub.monitor.follow(uid):
            if await request.is_disconnected():
                return
            yield f"event: summary\ndata: {summary.model_dump_json()}\n\n".encode() if summary else b": still here\n\n"

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(events(), media_type="text/event-stream", headers=headers)
