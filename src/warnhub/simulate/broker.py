"""An MQTT broker for a demonstration on a machine that has none installed. Not for a county.

It runs in a process of its own, so that a busy demonstration does not hold it up: amqtt gives a message up when its
receiver has been silent for 5 seconds. The child ends when its standard input does, so it never outlives its parent.
"""

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PLUGINS = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
READY = b"ready\n"


@asynccontextmanager
async def serve_broker(port: int, host: str = "127.0.0.1") -> AsyncIterator[None]:
    """Serve MQTT 3.1.1 without passwords on `host`:`port` until the block ends. Raises OSError if it cannot be started."""
    command = [sys.executable, "-m", "warnhub.simulate.broker", host, str(port)]
    child = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        if await child.stdout.readline() != READY:
            raise OSError(f"no MQTT broker on {host}:{port}: is the port taken?")
        yield
    finally:
        child.stdin.close()
        try:
            async with asyncio.timeout(5):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()


async def main(host: str, port: str) -> None:
    """The child: serve until standard input ends."""
    from amqtt.broker import Broker

    logging.disable(logging.CRITICAL)
    broker = Broker({"listeners": {"default": {"type": "tcp", "bind": f"{host}:{port}"}}, "plugins": PLUGINS})
    await broker.start()
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.buffer.read)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(3):
            await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
