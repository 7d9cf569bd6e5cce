"""A carrier that takes its time: answers each request after `wait` seconds, in a process of its own.

python -m benchmarks.slow PORT WAIT < answer
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator

import uvloop

from benchmarks.sink import Sink, wait_open
from warnhub.simulate.ports import free_port


async def serve(port: int, wait: float, answer: bytes) -> None:
    """Listen until the process ends."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                _, found, rest = head.partition(b"content-length:")
                await reader.readexactly(int(rest.partition(b"\r\n")[0]) if found else 0)
                await asyncio.sleep(wait)
                writer.write(answer)
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", port) as server:
        await server.serve_forever()


@contextlib.contextmanager
def slow_running(status: int, body: str, wait: float) -> Iterator[Sink]:
    """Such a carrier."""
    port = free_port()
    answer = f"HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\ncontent-length: {len(body.encode())}\r\n\r\n{body}"
    child = subprocess.Popen([sys.executable, "-m", "benchmarks.slow", str(port), str(wait)], stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write(answer.encode())
    child.stdin.close()
    try:
        wait_open(port, 30)
        yield Sink(port, None)
    finally:
        child.terminate()
        child.wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2]), sys.stdin.buffer.read()))
