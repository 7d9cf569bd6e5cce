"""The composition root: settings in, an application with its engine out; nothing else."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from fastapi.telemetry import TelemetryConfig

from warnhub.api import alerts, feeds, health, hooks, relief, speech, warnings, watch
from warnhub.api.contract import Described
from warnhub.api.problems import install_handlers
from warnhub.config import Settings
from warnhub.console.field import make_field
from warnhub.console.pages import make_router
from warnhub.field.doors import make_doors
from warnhub.field.sightings import make_sightings
from warnhub.field.tasks import make_tasks
from warnhub.hub import Hub, make_hub, run_hub, warm_up

TITLE = "WarnHub"


def create_app(settings: Settings, *, hub: Hub | None = None, **parts: Any) -> FastAPI:
    """The application. `hub` is given by tests that have one; `parts` go to `make_hub`."""

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        made = hub or await make_hub(settings, **parts)
        app.state.hub = made
        for make in (make_field, make_doors, make_tasks, make_sightings, make_router):
            router = make(made)
            app.include_router(router)
            express.add(router.routes)
        async with run_hub(made):
            if hub is None:
                warm_up(made)
            yield

    # The framework's own spans would hold the paths of field pages, and those are keys.
    silent = TelemetryConfig(tracing=False, metrics=False, logs=False, auto_configure=False)
    app = Described(
        title=TITLE,
        version="1",
        lifespan=life,
        telemetry=silent,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    express = app.express
    express.add(hooks.router.routes)
    install_handlers(app)
    app.add_api_route("/", to_console, include_in_schema=False)
    for part in (hooks, speech, feeds, alerts, warnings, relief, watch, health):
        app.include_router(part.router)
    app.include_router(health.sounds)
    return app


def create_window(hub: Hub) -> FastAPI:
    """What those who watch a worker look through: `/healthz`, `/readyz`, `/metrics`, and nothing else."""
    app = FastAPI(title=TITLE, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.hub = hub
    app.include_router(health.router)
    return app


async def to_console() -> RedirectResponse:
    """Who types the bare address means the console."""
    return RedirectResponse("/console", 303)
