"""A carrier that says yes to everything, at once: the same bytes for every request, in a process of its own.

    python -m benchmarks.sink PORT < answer

Reads requests by Content-Length, pipelined or not; what it answers is read from standard input before it listens.
"""

import asyncio
import sys

import uvloop

END = b"\r\n\r\n"


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self.buffer += data
        answers = 0
        while (head := self.buffer.find(END)) >= 0:
            size = head + len(END) + content_length(bytes(self.buffer[:head]).lower())
            if len(self.buffer) < size:
                break
            del self.buffer[:size]
            answers += 1
        if answers:
            self.transport.write(self.answer * answers)  # type: ignore[attr-defined]


def content_length(head: bytes) -> int:
    """Of a request's head, in lower case; 0 if it says none."""
    _, found, rest = head.partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def serve(port: int, answer: bytes) -> None:
    """Listen until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(answer), "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.stdin.buffer.read()))
