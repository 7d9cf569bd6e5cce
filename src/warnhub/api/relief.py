"""Doors and tasks for machines: the figures of a warning's households and shelters. No household is ever named here."""

from typing import Any

from fastapi import APIRouter

from warnhub.api.auth import CallerDep, HubDep
from warnhub.api.warnings import visible
from warnhub.response.action import Count, count_doors
from warnhub.response.figures import DEFINITIONS, confirm_times, warning_sums
from warnhub.store.assignments import count_assignments, list_of_warning
from warnhub.store.doors import shelter_heads

router = APIRouter(prefix="/v1/warnings", tags=["doors"])


def shown(count: Count) -> dict[str, Any]:
    """A count with what follows from it."""
    return count.model_dump() | {"settled": count.settled, "closed": count.closed}


@router.get("/{uid}/doors")
async def get_doors(uid: str, hub: HubDep, caller: CallerDep) -> dict[str, Any]:
    """Doors by township, and people by shelter."""
    warning = await visible(hub, caller, uid)
    async with hub.store.read() as conn:
        whole, towns = await count_doors(conn, warning.id)
        shelters = await shelter_heads(conn, warning.id)
    beds = [{"name": one.name, "area": one.area, "capacity": one.capacity, "heads": one.heads} for one in shelters]
    return {"doors": shown(whole), "towns": [shown(one) for one in towns], "shelters": beds}


@router.get("/{uid}/tasks")
async def get_tasks(uid: str, hub: HubDep, caller: CallerDep) -> dict[str, Any]:
    """What has to be done because of a warning: patrols and steps of its plan; `overdue` were ever late."""
    warning = await visible(hub, caller, uid)
    async with hub.store.read() as conn:
        rows, counts = await list_of_warning(conn, warning.id), await count_assignments(conn, warning.id)
    keep = ("id", "kind", "title", "role", "town", "state", "begin_at", "due_at", "late_at", "done_at", "said")
    return {"counts": counts, "tasks": [{name: getattr(row, name) for name in keep} for row in rows]}


@router.get("/{uid}/figures")
async def get_figures(uid: str, hub: HubDep, caller: CallerDep) -> dict[str, Any]:
    """The indicators of a warning with their definitions, and the seconds until the first, half, 95 % and all had confirmed."""
    warning = await visible(hub, caller, uid)
    async with hub.store.read() as conn:
        sums, groups = await warning_sums(conn, warning.id), await confirm_times(conn, warning.id)
    parts = [
        {"kind": one.kind, "name": one.name, "asked": one.asked, "confirmed": one.confirmed, "seconds": one.times}
        for one in groups
    ]
    return {"rates": sums.rates(), "definitions": {name: en for name, (_, en) in DEFINITIONS.items()}, "groups": parts}
