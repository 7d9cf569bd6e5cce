"""Errors as RFC 9457 problem documents: every refusal names field, rule and value, and never shows a secret."""

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from warnhub.alert import Problem
from warnhub.desk import Refusal
from warnhub.store.engine import TROUBLE, is_away

MEDIA = "application/problem+json"
SECRET = ("password", "token", "key", "secret", "authorization")
SAFE = frozenset({"GET", "HEAD"})
"""What may be asked twice."""

LATER = {"retry-after": "2"}
AGAIN = "warnhub.again"
log = structlog.get_logger(__name__)


def make_problem(
    status: int, title: str, problems: Sequence[Problem] = (), headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """The document: `errors` has one entry for each thing wrong, with path, rule, message and value."""
    errors = [problem.model_dump(exclude={"gate"}) for problem in problems]
    body = {"type": "about:blank", "title": title, "status": status, "errors": errors} | more
    return JSONResponse(body, status, headers, media_type=MEDIA)


class Again(Response):
    """A question asked once more after the database dropped the connection it was asked on."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it through the routes anew; the second time there is no third."""
        scope[AGAIN] = True
        await scope["app"].router(scope, receive, send)


def answer_away(request: Request, error: Exception) -> Response:
    """The database went away: a question is asked again on another connection, once; anything else is the caller's to repeat,
    since its commit may have come through when its answer did not. An error of another kind is raised as it is."""
    if not is_away(error):
        raise error
    log.warning("store.away", error=type(error).__name__, method=request.method, path=request.scope["route"].path)
    if request.method in SAFE and AGAIN not in request.scope:
        return Again()
    return make_problem(503, "the database does not answer just now; ask again", headers=LATER)


def install_handlers(app: FastAPI) -> None:
    """Every error of the application as a problem document."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> JSONResponse:
        return make_problem(error.status, error.title, error.problems)

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> JSONResponse:
        return make_problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return make_problem(422, "the request cannot be read", [describe(item) for item in error.errors()])

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> JSONResponse:
        log.info("request.abandoned", method=request.method, path=request.scope["route"].path)
        return make_problem(400, "the body ended before it was whole")

    async def away(request: Request, error: Exception) -> Response:
        return answer_away(request, error)

    for kind in TROUBLE:
        app.add_exception_handler(kind, away)


def describe(item: Any) -> Problem:
    """One finding of the framework; the value is left out where it might be a secret."""
    path = ".".join(str(part) for part in item["loc"])
    hidden = any(word in path.lower() for word in SECRET)
    return Problem(
        path=path, rule=str(item["type"]).upper(), message=item["msg"], value="" if hidden else item.get("input", "")
    )
