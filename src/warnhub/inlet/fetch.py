"""Fetching what somebody else's feed names, without being led anywhere by it.

Only hosts of the source's list, only http and https; every address a name resolves to must be public or of the source's own
networks, and the connection goes to the very address that was checked. Redirects are followed by hand under the same rules. The
size is bounded while reading, and nothing packed is unpacked.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx

from warnhub.config import Source

MOST_REDIRECTS = 3
MOVED = frozenset((301, 302, 303, 307, 308))
PORTS = {"http": 80, "https": 443}
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class FetchError(Exception):
    """It was not fetched: a rule and what broke it."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule = rule
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Fetched:
    """A 200 with its bytes, or a 304 without. `url` is where it was in the end."""

    url: str
    status: int
    media: str
    body: bytes
    etag: str
    modified: str


async def look_up(host: str, port: int) -> Sequence[str]:
    """Every address of a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Fetcher:
    """Fetches under a source's rules. `resolve` is given by tests that have no names."""

    def __init__(self, resolve: Resolve = look_up) -> None:
        self.resolve = resolve
        self.http = httpx.AsyncClient(
            verify=ssl.create_default_context(), follow_redirects=False, trust_env=False, headers={"user-agent": "WarnHub"}
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self.http.aclose()

    async def fetch(self, url: str, source: Source, etag: str = "", modified: str = "") -> Fetched:
        """Ask for it, if it has changed. Raises `FetchError` for anything but 200 and 304."""
        headers = {"accept": "*/*", "accept-encoding": "identity"}
        headers |= {name: value for name, value in (("if-none-match", etag), ("if-modified-since", modified)) if value}
        try:
            async with asyncio.timeout(source.timeout):
                for _ in range(MOST_REDIRECTS + 1):
                    found = await self.ask(url, source, headers)
                    if isinstance(found, Fetched):
                        return found
                    url = found
        except TimeoutError:
            raise FetchError("TIMEOUT", f"no whole answer in {source.timeout:g} s") from None
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise FetchError("UNREACHABLE", type(error).__name__) from error
        raise FetchError("TOO_MANY_REDIRECTS", f"more than {MOST_REDIRECTS}")

    async def ask(self, url: str, source: Source, headers: Mapping[str, str]) -> Fetched | str:
        """One request: what it gives, or where it sends us."""
        pinned, host = await self.pin(url, source)
        extensions = {"sni_hostname": host.partition(":")[0]}
        request = self.http.build_request("GET", pinned, headers=dict(headers) | {"host": host}, extensions=extensions)
        response = await self.http.send(request, stream=True)
        try:
            if response.status_code in MOVED:
                return urljoin(url, str(response.headers.get("location", "")))
            if response.status_code not in (200, 304):
                raise FetchError("HTTP_STATUS", str(response.status_code))
            body = b"" if response.status_code == 304 else await read_bounded(response, source.max_bytes)
            media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            marks = (response.headers.get("etag", "")[:1_000], response.headers.get("last-modified", "")[:100])
            return Fetched(url, response.status_code, media, body, *marks)
        finally:
            await response.aclose()

    async def pin(self, url: str, source: Source) -> tuple[str, str]:
        """The URL with a checked address in the place of its name, and the name for the `Host` header."""
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port or PORTS.get(parts.scheme, 0)
        if parts.scheme not in PORTS or not host or parts.username or parts.password:
            raise FetchError("URL_NOT_TAKEN", url[:200])
        if host not in source.allowed:
            raise FetchError("HOST_NOT_ALLOWED", host)
        try:
            addresses = await self.resolve(host, port)
        except OSError as error:
            raise FetchError("UNREACHABLE", f"{host} has no address") from error
        for address in addresses:
            if not may_reach(address, source.networks):
                raise FetchError("ADDRESS_NOT_PUBLIC", f"{host} is {address}")
        if not addresses:
            raise FetchError("UNREACHABLE", f"{host} has no address")
        numeric = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
        named = host if port == PORTS[parts.scheme] else f"{host}:{port}"
        return urlunsplit((parts.scheme, f"{numeric}:{port}", parts.path or "/", parts.query, "")), named


def may_reach(address: str, networks: Sequence[str]) -> bool:
    """Whether an address is public, or in one of the networks the source names."""
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if found in NAT64:
        inner = ipaddress.ip_address(int(found) & 0xFFFF_FFFF)
    if inner is not None:
        return may_reach(str(inner), networks)
    if any(found in ipaddress.ip_network(network) for network in networks):
        return True
    return found.is_global and not found.is_multicast


async def read_bounded(response: httpx.Response, most: int) -> bytes:
    """The body as it is on the wire, refused as soon as it is too large."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise FetchError("ENCODING_NOT_TAKEN", response.headers["content-encoding"][:50])
    said = response.headers.get("content-length", "")
    if said.isdigit() and int(said) > most:
        raise FetchError("TOO_LARGE", f"{said} bytes, at most {most}")
    parts, size = [], 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > most:
            raise FetchError("TOO_LARGE", f"at most {most} bytes")
        parts.append(part)
    return b"".join(parts)
