"""A real Mosquitto on a free port, which a test can stop and start again."""

import asyncio
import shutil
import socket
from pathlib import Path

import pytest

BINARY = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class Mosquitto:
    """A broker on 127.0.0.1:`port` that keeps what it retains in `folder`; with `password` it lets in only warnhub."""

    def __init__(self, folder: Path, password: str = "") -> None:
        with socket.create_server(("127.0.0.1", 0)) as place:
            self.port: int = place.getsockname()[1]
        self.folder = folder
        self.password = password
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it takes connections."""
        if BINARY is None:
            pytest.skip("no mosquitto on this machine")
        config = [f"listener {self.port} 127.0.0.1", "persistence true", f"persistence_location {self.folder}/", "user root"]
        config += ["max_queued_messages 10000", f"allow_anonymous {'false' if self.password else 'true'}"]
        if self.password:
            known = self.folder / "known"
            known.write_text(f"warnhub:{self.password}\n")
            await (await asyncio.create_subprocess_exec("mosquitto_passwd", "-U", str(known))).wait()
            config.append(f"password_file {known}")
        path = self.folder / "mosquitto.conf"
        path.write_text("\n".join(config))
        silent = asyncio.subprocess.DEVNULL
        self.process = await asyncio.create_subprocess_exec(BINARY, "-c", str(path), stdout=silent, stderr=silent)
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return
        raise AssertionError("mosquitto does not start")

    async def stop(self) -> None:
        """End it."""
        if self.process and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()
