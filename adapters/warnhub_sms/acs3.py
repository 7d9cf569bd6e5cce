"""Alibaba Cloud's signature, version 3, for calls in the RPC style (path `/`).

https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
"""

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote

ALGORITHM = "ACS3-HMAC-SHA256"
ASCII = {code: quote(chr(code), safe="-_.~") for code in range(128)}


def encoded(text: str) -> str:
    """`text` as RFC 3986 writes it; a space is %20, a tilde stays."""
    if text.isascii():
        return text.translate(ASCII)
    return quote(text, safe="-_.~")


def canonical_query(query: Mapping[str, str]) -> str:
    """The query as it is signed, and as it may be sent."""
    return "&".join(f"{encoded(name)}={encoded(value)}" for name, value in sorted(query.items()))


def body_hash(body: bytes) -> str:
    """SHA-256 of the body in hex, for the header x-acs-content-sha256."""
    return hashlib.sha256(body).hexdigest()


def canonical_request(method: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> str:
    """What is hashed. `headers` are the signed ones, their names in lower case."""
    lines = "".join(f"{name}:{value.strip()}\n" for name, value in sorted(headers.items()))
    return "\n".join((method, "/", canonical_query(query), lines, ";".join(sorted(headers)), body_hash(body)))


def sign(secret: str, method: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes = b"") -> str:
    """The signature, in hex."""
    request = canonical_request(method, query, headers, body)
    text = f"{ALGORITHM}\n{hashlib.sha256(request.encode()).hexdigest()}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def authorization(
    key_id: str, secret: str, method: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes = b""
) -> str:
    """The Authorization header for a call with these headers, all of them signed."""
    signed = ";".join(sorted(headers))
    return f"{ALGORITHM} Credential={key_id},SignedHeaders={signed},Signature={sign(secret, method, query, headers, body)}"
