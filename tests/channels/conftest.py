"""What channel tests share: an ASGI application on a real socket."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio
import uvicorn
from starlette.types import ASGIApp

Serve = Callable[[ASGIApp], Awaitable[str]]


@pytest_asyncio.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves applications on free ports of 127.0.0.1 until the test ends; returns the base URL of each."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(app: ASGIApp) -> str:
            place = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=0))
            task = asyncio.create_task(server.serve(sockets=[place]))
            stack.push_async_callback(stopped, server, task)
            return f"http://127.0.0.1:{place.getsockname()[1]}"

        yield start


async def stopped(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    """End a server, with whatever hangs in it."""
    server.force_exit = server.should_exit = True
    await task
