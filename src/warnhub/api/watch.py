"""Readings and sightings for machines: sensors, devices, and the programs of gridworkers and agencies."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import text

from warnhub.alert import Problem
from warnhub.api.alerts import read_body
from warnhub.api.auth import Caller, CallerDep, HubDep
from warnhub.desk import Refusal
from warnhub.hub import Hub
from warnhub.response.photo import LARGEST, Unusable, clean_photo
from warnhub.store.areas import trim_code
from warnhub.store.audits import add_audit
from warnhub.store.photos import MOST, add_photo
from warnhub.store.proposals import Gauge, Sighting

router = APIRouter(prefix="/v1", tags=["watch"])
Key = Annotated[str, Field(min_length=8, max_length=120, pattern=r"^[A-Za-z0-9._:-]+$")]
Degrees = Annotated[float | None, Field(ge=-180, le=180)]


class Strict(BaseModel):
    """No unknown field passes."""

    model_config = ConfigDict(extra="forbid")


class Reading(Strict):
    """One measurement. `id` is the sender's own, so that a repeat is kept once; `area` a division code of the county."""

    id: Key
    station: str = Field(min_length=1, max_length=80)
    measure: str = Field(pattern=r"^[a-z0-9_]{1,40}$")
    value: float = Field(allow_inf_nan=False)
    unit: str = Field(default="", max_length=20)
    area: str = Field(pattern=r"^[0-9]{6,15}$")
    at: AwareDatetime
    lon: Degrees = None
    lat: Degrees = None


class Readings(Strict):
    """Up to a thousand at a time."""

    readings: list[Reading] = Field(min_length=1, max_length=1_000)


class Seen(Strict):
    """A danger somebody, or something, has noticed. `hazard`: an event-type code."""

    id: Key
    hazard: str = Field(pattern=r"^[0-9A-Z]{5}$")
    text: str = Field(min_length=2, max_length=500)
    area: str = Field(pattern=r"^[0-9]{6,15}$")
    at: AwareDatetime
    lon: Degrees = None
    lat: Degrees = None


def place_of(hub: Hub, code: str, path: str) -> int:
    """The place a code names; 422 for one that is not in the county."""
    known = dict(zip(hub.places.codes, hub.places.ids, strict=True))
    found = known.get(trim_code(code) or "")
    if found is None:
        problem = Problem(path=path, rule="UNKNOWN_AREA", message="no place of the county has this code", value=code)
        raise Refusal(422, "the place is not known here", [problem])
    return found


def moment(at: datetime, path: str) -> int:
    """Milliseconds; 422 for a time more than two minutes ahead."""
    if (at - datetime.now(UTC)).total_seconds() > 120:
        problem = Problem(path=path, rule="FUTURE", message="lies in the future", value=at.isoformat())
        raise Refusal(422, "the time cannot be right", [problem])
    return int(at.timestamp() * 1000)


def source_of(caller: Caller) -> str:
    """Who says so: an agency, or a person of at least the duty's role."""
    if caller.agency is None:
        caller.require("duty")
    return caller.actor


@router.post("/readings", status_code=201)
async def post_readings(body: Readings, hub: HubDep, caller: CallerDep) -> dict[str, Any]:
    """Keep measurements and hold the linkage rules against them; `kept` counts those that are new."""
    source = source_of(caller)
    gauges = [
        Gauge(
            f"{source}:{one.id}",
            one.station,
            one.measure,
            one.value,
            one.unit,
            place_of(hub, one.area, f"readings[{n}].area"),
            moment(one.at, f"readings[{n}].at"),
            source,
            one.lon,
            one.lat,
        )
        for n, one in enumerate(body.readings)
    ]
    return {"kept": await hub.responder.watch.measure(gauges), "given": len(gauges)}


@router.post("/sightings", status_code=201)
async def post_sighting(body: Seen, hub: HubDep, caller: CallerDep) -> dict[str, Any]:
    """Report a danger from the ground; what is near another and soon after it is merged. `repeated`: told before."""
    source = source_of(caller)
    place = place_of(hub, body.area, "area")
    one = Sighting(f"{source}:{body.id}", source, body.hazard, body.text, place, moment(body.at, "at"), body.lon, body.lat)
    return {"id": body.id, "repeated": not await hub.responder.watch.see(one)}


@router.post("/sightings/{id}/photo", status_code=201)
async def post_picture(id: Key, request: Request, hub: HubDep, caller: CallerDep) -> dict[str, Any]:
    """A photograph of a sighting that was reported with this id: JPEG, PNG or WebP as the body, 6 MB at most. It is made anew,
    at most 1,600 pixels a side, without what the camera wrote in."""
    source = source_of(caller)
    try:
        made = await asyncio.to_thread(clean_photo, await read_body(request, LARGEST))
    except Unusable as error:
        problem = Problem(path="body", rule="PHOTO", message=str(error), value="")
        raise Refusal(422, "this is no photograph that can be kept", [problem]) from None
    async with hub.store.write() as tx:
        known = await tx.conn.scalar(text("SELECT id FROM sighting WHERE client = :c"), {"c": f"{source}:{id}"})
        if known is None:
            raise Refusal(404, "no such sighting was reported by this caller")
        if not await add_photo(tx, "sighting", int(known), made.body, "", source):
            raise Refusal(409, f"there are {MOST} photographs of this sighting already")
        await add_audit(tx, source, "sighting.photo", id, {"bytes": len(made.body)})
    return {"id": id, "bytes": len(made.body)}
