"""Recordings for calls: the county's own voice, by an address that the worker has signed and that is good for a while."""

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from warnhub.api.auth import HubDep
from warnhub.desk import Refusal

router = APIRouter(include_in_schema=False)


@router.get("/speech/{wave}/{role}/{language}/{ticket}.wav")
async def get_speech(wave: str, role: str, language: str, ticket: str, hub: HubDep) -> Response:
    """The recording; 404 for an address that is not ours or no longer good."""
    path = await hub.worker.voicing.find(wave, role, language, ticket)
    if path is None:
        raise Refusal(404, "there is no such recording, or its address is no longer good")
    return FileResponse(path, media_type="audio/wav", headers={"cache-control": "private, max-age=3600"})
