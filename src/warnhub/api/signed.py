"""Signed requests over HTTP; the form is that of `warnhub.inlet.signed`."""

from fastapi import Request

from warnhub.hub import Hub
from warnhub.inlet.signed import Said, check_signed, sign_request
from warnhub.store.agencies import Agency

__all__ = ["check_request", "sign_request"]


async def check_request(request: Request, hub: Hub, agency: Agency, body: bytes) -> bool:
    """Whether the request is signed; 401 if it says so and is not, is not of now, or came before."""
    said = Said.of(request.method, request.url.path, request.headers, body)
    return await check_signed(hub.store, hub.keys, agency, said)
