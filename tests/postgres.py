"""A PostgreSQL of the tests' own: one server for a session, a database for each test, gone afterwards."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg

from warnhub.simulate.ports import free_port
from warnhub.store.engine import Store
from warnhub.store.migrate import upgrade_store
from warnhub.store.tables import metadata

OLDEST = 15
TEMPLATE = "migrated"
# Speed over safety: what a crash of this server loses is nobody's.
OPTIONS = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=60 -c shared_buffers=32MB"


def find_programs() -> Path | None:
    """The newest installed PostgreSQL's programs; None if there is none of 15 or later."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    newest = max(found, key=lambda path: int(path.parent.name), default=None)
    if newest is None or int(newest.parent.name) < OLDEST:
        return None
    return newest if (newest / "initdb").exists() else None


def unprivileged(*command: str) -> list[str]:
    """`command` as somebody whom PostgreSQL serves: it refuses root."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]


class Server:
    """A running server. `url(name)` is a database's URL."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.spare: list[str] = []
        self.restart: Callable[[], None] = lambda: None

    def url(self, name: str) -> str:
        """As WarnHub is told it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    async def run(self, statement: str) -> None:
        """A statement that stands in no transaction."""
        conn = await asyncpg.connect(self.url("postgres"))
        await conn.execute(statement)
        await conn.close()

    async def migrate(self) -> None:
        """Make the database that the others are copies of."""
        await self.run(f"CREATE DATABASE {TEMPLATE}")
        store = Store(self.url(TEMPLATE))
        await upgrade_store(store)
        await store.close()

    async def make(self, template: str = TEMPLATE) -> str:
        """A new database; gives its name."""
        name = f"t{uuid4().hex[:12]}"
        await self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    async def take(self) -> str:
        """A migrated database with nothing in it, new or used before; gives its name."""
        return self.spare.pop() if self.spare else await self.make()

    async def give_back(self, name: str) -> None:
        """Empty it for the next test, which is far quicker than another; its numbers go on where they were."""
        conn = await asyncpg.connect(self.url(name))
        emptied = "; ".join(f'DELETE FROM "{table.name}"' for table in reversed(metadata.sorted_tables))
        await conn.execute(f"SET lock_timeout = '5s'; {emptied}")
        await conn.close()
        self.spare.append(name)

    async def drop(self, name: str) -> None:
        """Give its place back."""
        await self.run(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def serve_postgres(programs: Path) -> Iterator[Server]:
    """A server on a free port of this machine, with the template migrated."""
    # Not below pytest's own folder, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="warnhub-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")
    server, data = Server(free_port()), folder / "data"
    control = unprivileged(str(programs / "pg_ctl"), "-D", str(data), "-s")
    try:
        initdb = unprivileged(str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8")
        subprocess.run([*initdb, "--locale=C.UTF-8"], check=True, capture_output=True, cwd=folder)
        options = f"-p {server.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= {OPTIONS}"
        start = [*control, "-w", "-l", str(folder / "log"), "-o", options, "start"]
        subprocess.run(start, check=True, cwd=folder)

        def restart() -> None:
            """Stop it under whoever uses it, and start it again."""
            subprocess.run([*control, "-w", "-m", "fast", "stop"], check=True, cwd=folder)
            subprocess.run(start, check=True, cwd=folder)

        server.restart = restart
        try:
            asyncio.run(server.migrate())
            yield server
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, cwd=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
