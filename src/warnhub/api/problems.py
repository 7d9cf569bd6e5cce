"""Errors as RFC 9457 problem documents: every refusal names field, rule and value, and never shows a secret."""

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from warnhub.alert import Problem
from warnhub.desk import Refusal

MEDIA = "application/problem+json"
SECRET = ("password", "token", "key", "secret", "authorization")
log = structlog.get_logger(__name__)


def make_problem(
    status: int, title: str, problems: Sequence[Problem] = (), headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """The document: `errors` has one entry for each thing wrong, with path, rule, message and value."""
    errors = [problem.model_dump(exclude={"gate"}) for problem in problems]
    body = {"type": "about:blank", "title": title, "status": status, "errors": errors} | more
    return JSONResponse(body, status, headers, media_type=MEDIA)


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


def describe(item: Any) -> Problem:
    """One finding of the framework; the value is left out where it might be a secret."""
    path = ".".join(str(part) for part in item["loc"])
    hidden = any(word in path.lower() for word in SECRET)
    return Problem(
        path=path, rule=str(item["type"]).upper(), message=item["msg"], value="" if hidden else item.get("input", "")
    )
