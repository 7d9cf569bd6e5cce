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
            # asyncio turns Nagle's delay (40 ms an answer) off only where the protocol is named
            place = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP))
            place.bind(("127.0.0.1", 0))
            place.listen(512)
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
            task = asyncio.create_task(server.serve(sockets=[place]))
            stack.push_async_callback(stopped, server, task)
            return f"http://127.0.0.1:{place.getsockname()[1]}"

        yield start


async def stopped(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    """End a server; what hangs in it is cut off after a second."""
    server.should_exit = True
    await task
