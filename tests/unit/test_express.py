"""The busiest calls go by the framework: the same routes, the same refusals."""

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from warnhub.api.contract import Described
from warnhub.api.problems import install_handlers
from warnhub.desk import Refusal


async def echo(request: Request) -> Response:
    """What it was asked."""
    if request.path_params["b"] == "no":
        raise Refusal(418, "not this one")
    return PlainTextResponse(f"{request.method} {request.path_params} {await request.body()!r}")


@pytest.fixture
def app() -> Described:
    """An application with plain routes and one of the framework's."""
    made = Described(title="t", version="1")
    install_handlers(made)
    made.router.add_route("/echo/{a}/{b}", echo, methods=["GET", "POST"])
    made.add_api_route("/echo/{a}", lambda a: {"a": a})
    return made


@pytest.mark.parametrize(
    ("method", "path", "express"),
    [
        ("POST", "/echo/1/2", True),
        ("GET", "/echo/1/no", True),
        ("HEAD", "/echo/1/2", True),
        ("DELETE", "/echo/1/2", False),
        ("GET", "/echo/1", False),
        ("GET", "/echo/1/2/3", False),
        ("GET", "/echo/1/", False),
        ("GET", "/echo//2", False),
        ("GET", "/", False),
    ],
)
async def test_answers_are_the_same_either_way(app: Described, method: str, path: str, express: bool) -> None:
    """Before and after the routes are known to be plain, byte by byte."""
    answers = []
    for _ in range(2):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
            said = await http.request(method, path, content=b"x")
        answers.append((said.status_code, said.headers, said.content))
        app.express.add(app.routes)
    assert answers[0] == answers[1]
    assert (app.express.find({"type": "http", "path": path, "method": method}) is not None) is express


@pytest.mark.parametrize("path", ["*", "", "echo"])
def test_a_path_that_is_none_goes_the_usual_way(app: Described, path: str) -> None:
    app.express.add(app.routes)
    assert app.express.find({"type": "http", "path": path, "method": "OPTIONS"}) is None


def test_only_plain_routes_are_taken(app: FastAPI) -> None:
    """One of the framework's is left to it, and so are a fixed path and one with a converter."""
    app.router.add_route("/echo", echo)
    app.router.add_route("/echo/{a:path}", echo)
    assert isinstance(app, Described)
    app.express.add(app.routes)
    assert {key[:2] for key in app.express.routes} == {("echo", 2)}
