"""A carrier that says yes to everything, at once: an nginx of the benchmark's own, on a free port, with one fixed answer.

It writes down when each call came, and our reference where the call names one (`OutId`), so that what was submitted when is
told by the carrier and not by us.
"""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from warnhub.simulate.ports import free_port

CONFIG = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 4096; }}
http {{
    log_format calls '$msec $arg_OutId';
    access_log {log};
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    large_client_header_buffers 8 128k;
    client_body_buffer_size 64k;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ default_type application/json; {delay} return {status} '{body}'; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Sink:
    """A running one. `calls()` are (seconds since 1970, our reference or "-"), where it was asked to write them down."""

    port: int
    log: Path | None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def calls(self) -> list[tuple[float, str]]:
        """What came, and when."""
        assert self.log is not None
        pairs = (line.split() for line in self.log.read_text().splitlines())
        return [(float(pair[0]), pair[1]) for pair in pairs if len(pair) == 2]


def find_nginx() -> str:
    """Its program. SystemExit if there is none."""
    found = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if not found:
        raise SystemExit("the benchmarks need nginx: scripts/setup.sh figures")
    return found


@contextlib.contextmanager
def sink_running(status: int, body: str, *, keep: bool = False) -> Iterator[Sink]:
    """An nginx that answers `status` and `body`; with `keep` it writes down each call."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "calls.log" if keep else None
        where = f"{log} calls" if log else "off"
        text = CONFIG.format(folder=folder, log=where, port=port, status=status, body=body, delay="")
        (folder / "nginx.conf").write_text(text)
        child = subprocess.Popen([find_nginx(), "-p", name, "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
        try:
            wait_open(port)
            yield Sink(port, log)
        finally:
            child.terminate()
            child.wait()


def wait_open(port: int, seconds: float = 10.0) -> None:
    """Until somebody listens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on {port}")
