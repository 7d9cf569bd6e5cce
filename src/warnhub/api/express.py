"""The ways that a million calls go, answered before the framework looks at them.

A receipt, and somebody's own page, come by the thousand a second, and a framework's layers cost several times what is done.
The same plain routes stay in the application, so that nothing about them is known in two places.
"""

from collections.abc import Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send


class Express:
    """Plain routes of the form `/word/{a}/{b}`, found by their first word and how many parts they have."""

    def __init__(self) -> None:
        self.routes: dict[tuple[str, int, str], tuple[Route, tuple[str, ...]]] = {}

    def add(self, routes: Iterable[BaseRoute]) -> None:
        """Take up those of `routes` that are plain: a function of the request, and after the first word nothing but names."""
        for route in routes:
            if type(route) is not Route:
                continue
            first, *names = route.path.strip("/").split("/")
            if first.isalnum() and names and all(name[0] == "{" and name[1:-1].isidentifier() for name in names):
                for method in route.methods or ():
                    self.routes[first, len(names), method] = route, tuple(name[1:-1] for name in names)

    def find(self, scope: Scope) -> Route | None:
        """The route of a request, with its path parameters set; None for what goes the usual way."""
        first, *given = scope["path"][1:].split("/")  # of `OPTIONS *` nothing is left
        found = self.routes.get((first, len(given), scope["method"]))
        if found is None or not all(given) or scope.get("root_path"):
            return None
        route, names = found
        scope["path_params"] = dict(zip(names, given, strict=True))
        scope["route"] = route
        return route


async def answer_plain(app: Starlette, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
    """Call a plain route's function. What it raises is answered by the application's own handlers, and a bug by the server."""
    scope["app"] = app
    request = Request(scope, receive, send)
    known: dict[type[Exception], Any] = {kind: act for kind, act in app.exception_handlers.items() if isinstance(kind, type)}
    try:
        response = await route.endpoint(request)
    except tuple(known) as error:
        response = await next(known[kind] for kind in type(error).__mro__ if kind in known)(request, error)
    assert isinstance(response, Response)
    await response(scope, receive, send)
