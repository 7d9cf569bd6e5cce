"""A second worker: a process that hands over what it can claim and does nothing else; settings come on standard input."""

import asyncio
import sys

import orjson
import uvloop

from warnhub.config import load_settings
from warnhub.hub import make_hub, warm_up
from warnhub.logs import set_up


async def work() -> None:
    """Until it is ended."""
    hub = await make_hub(load_settings(**orjson.loads(sys.stdin.readline())))
    warm_up(hub)
    async with asyncio.TaskGroup() as group:
        group.create_task(hub.worker.run())
        group.create_task(hub.living.run(hub.bus))
        print("ready", flush=True)


if __name__ == "__main__":
    set_up("error")
    uvloop.run(work())
