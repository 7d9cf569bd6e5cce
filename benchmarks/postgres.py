"""A PostgreSQL of the benchmarks' own: durable (fsync and synchronous_commit on), gone afterwards."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from warnhub.simulate.ports import free_port

OPTIONS = "-c shared_buffers=512MB -c max_wal_size=4GB -c wal_compression=on -c max_connections=80 -c autovacuum_naptime=10s"


def programs() -> Path:
    """The newest installed one's programs. SystemExit if there is none."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    if not found:
        raise SystemExit("the benchmarks on PostgreSQL need one: scripts/setup.sh figures")
    return max(found, key=lambda path: int(path.parent.name))


def unprivileged(*command: str) -> list[str]:
    """`command` as somebody whom PostgreSQL serves: it refuses root."""
    return list(command) if os.geteuid() else ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]


def wait_ready(asks: str, port: int, seconds: float = 60.0) -> None:
    """Until it takes connections."""
    end = time.monotonic() + seconds
    while subprocess.run([asks, "-q", "-h", "127.0.0.1", "-p", str(port)], check=False).returncode:
        if time.monotonic() > end:
            raise TimeoutError("PostgreSQL does not start")
        time.sleep(0.1)


@contextlib.contextmanager
def postgres_running() -> Iterator[str]:
    """A server; gives the URL without the database's name."""
    bin_, port, folder = programs(), free_port(), Path(tempfile.mkdtemp(prefix="warnhub-bench-"))
    if not os.geteuid():
        shutil.chown(folder, "nobody", "nogroup")
    data = str(folder / "data")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run(
        unprivileged(str(bin_ / "initdb"), "-D", data, "-U", "postgres", "-E", "UTF8", "--no-sync"), check=True, **quiet
    )
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} {OPTIONS}".split()
    child = subprocess.Popen(unprivileged(str(bin_ / "postgres"), "-D", data, *options), **quiet)
    try:
        wait_ready(str(bin_ / "pg_isready"), port)
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        child.send_signal(2)
        child.wait()
        shutil.rmtree(folder, ignore_errors=True)
