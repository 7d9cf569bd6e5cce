"""Ports of this machine for what is started beside WarnHub."""

import contextlib
import secrets
import socket
from collections.abc import Collection, Iterable

HOST = "127.0.0.1"
PORTS = range(15_000, 32_000)
TRIES = 200


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """A free port for each, all different."""
    ports: dict[str, int] = {}
    for name in names:
        ports[name] = free_port(ports.values())
    return ports


def free_port(taken: Collection[int] = ()) -> int:
    """A port nobody listens on, below those the system gives to calls that go out: none takes it before it is listened on."""
    for _ in range(TRIES):
        port = secrets.choice(PORTS)
        with contextlib.suppress(OSError), socket.create_server((HOST, port)):
            if port not in taken:
                return port
    raise OSError(f"no free port between {PORTS[0]} and {PORTS[-1]} at {HOST}")
