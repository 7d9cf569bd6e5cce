"""Where a request comes from, also behind proxies: the nearest address that is none of our own proxies'."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from starlette.requests import Request

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=8)
def networks(names: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks that `trusted_proxies` names."""
    return tuple(ipaddress.ip_network(name, strict=False) for name in names)


@lru_cache(maxsize=4_096)
def is_trusted(address: str, proxies: tuple[Network, ...]) -> bool:
    """Whether this is a proxy of ours."""
    try:
        place = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(place in network for network in proxies)


def origin_of(request: Request, trusted: Sequence[str]) -> str:
    """The address to count by. `X-Forwarded-For` is believed only as far as our proxies wrote it: from its right end, past
    each that is trusted; what stands further left anybody may have made up."""
    peer = request.client.host if request.client else ""
    proxies = networks(tuple(trusted))
    if not proxies or not is_trusted(peer, proxies):
        return peer
    said = [part.strip() for line in request.headers.getlist("x-forwarded-for") for part in line.split(",")]
    for address in reversed(said):
        bare = address.rpartition("]")[0].lstrip("[") or (address.partition(":")[0] if address.count(":") == 1 else address)
        if not is_trusted(bare, proxies):
            return bare[:64]
    return peer
