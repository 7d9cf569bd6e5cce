"""Where providers call back: verified by the adapter, kept before it is answered."""

from functools import cache
from typing import cast

from fastapi import APIRouter, Request, Response

from warnhub.api.alerts import read_body
from warnhub.desk import Refusal
from warnhub.hub import Hub
from warnhub.monitor.metrics import REPORTS
from warnhub.port import Callback, Refused, Reports

router = APIRouter(tags=["hooks"])
MOST = 2_000_000


async def take_hook(request: Request) -> Response:
    """Receipts, replies and address checks. 403 for what is not signed as the provider signs; nothing changes then."""
    hub: Hub = request.app.state.hub
    name = f"{request.path_params['channel']}.{request.path_params['provider']}"
    found = hub.providers.get(name)
    if found is None or not calls_back(type(found.adapter)):
        raise Refusal(404, "no such provider calls back here")
    adapter = cast(Reports, found.adapter)
    call = Callback(
        request.method,
        public_url(hub.settings.public_url, request),
        dict(request.query_params),
        {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in request.scope["headers"]},
        await read_body(request, MOST),
    )
    try:
        reports = adapter.read(call)
    except Refused:
        REPORTS.labels(name, "refused").inc()
        raise Refusal(403, "this call-back is not signed as it should be") from None
    await hub.receipts.take(name, reports)
    answer = adapter.answer(call)
    return Response(answer.body, answer.status, media_type=answer.media)


@cache
def calls_back(kind: type) -> bool:
    """Whether adapters of this class read call-backs: to ask an object for the methods of a protocol costs 15 µs."""
    return issubclass(kind, Reports)


# A plain route: a million receipts go by here, and the framework's own reading costs more than the receipt (`express`).
router.add_route("/hooks/{channel}/{provider}", take_hook, methods=["GET", "POST"], include_in_schema=False)


def public_url(base: str, request: Request) -> str:
    """The URL as the provider knows it: from our configuration, never from the Host header."""
    query = request.scope["query_string"].decode("latin-1")
    return f"{base}{request.scope['path']}{'?' if query else ''}{query}"
