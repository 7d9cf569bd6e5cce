"""A line that can be cut: a TCP relay, so that a simulated device loses its connection as a real one does."""

import asyncio
import contextlib


class Relay:
    """Carries connections from a free port of 127.0.0.1 (`port`) to `host`:`to` until it is cut, and again once mended."""

    def __init__(self, host: str, to: int) -> None:
        self.host, self.to, self.port = host, to, 0
        self.server: asyncio.Server | None = None
        self.writers: set[asyncio.StreamWriter] = set()

    async def mend(self) -> None:
        """Let connections through: from now on, or again."""
        if self.server is None:
            self.server = await asyncio.start_server(self.carry, "127.0.0.1", self.port)
            self.port = self.server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break every connection without a word, and let no new one through."""
        server, self.server = self.server, None
        if server:
            server.close()
        for writer in list(self.writers):
            writer.transport.abort()
        if server:
            await server.wait_closed()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join one connection to the other side."""
        try:
            far_reader, far_writer = await asyncio.open_connection(self.host, self.to)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, far_writer}
        self.writers |= both
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        self.writers -= both


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Move bytes one way until either side ends, and end the other."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
