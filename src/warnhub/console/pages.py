"""The console's routes."""

from fastapi import APIRouter

from warnhub.console.hub import Hub


def make_router(hub: Hub) -> APIRouter:
    """Everything under /console."""
    return APIRouter(prefix="/console", include_in_schema=False)
