"""Checking Alibaba Cloud's signature, version 3, on the server's side."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from starlette.requests import Request

NEEDED = frozenset({"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"})
SKEW = 900.0
"""Seconds that a call's clock may differ."""

Refusal = tuple[int, str, str]


def check_signature(request: Request, body: bytes, key_id: str, secret: str) -> Refusal | None:
    """Status, code and words of the refusal; None if the call is signed as it should be."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    parts = dict(part.split("=", 1) for part in rest.split(",") if "=" in part)
    names = parts.get("SignedHeaders", "").split(";")
    if scheme != "ACS3-HMAC-SHA256" or names != sorted(names) or not set(names) >= NEEDED:
        return 400, "IncompleteSignature", "The request signature does not conform to Aliyun standards."
    if parts.get("Credential") != key_id:
        return 404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."
    if not fresh(request.headers["x-acs-date"]):
        return 400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."
    text = string_to_sign(request.method, request.query_params, {n: request.headers.get(n, "") for n in names}, body)
    good = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    same = request.headers["x-acs-content-sha256"] == hashlib.sha256(body).hexdigest()
    if not same or not hmac.compare_digest(good, parts.get("Signature", "")):
        return 400, "SignatureDoesNotMatch", f"Specified signature is not matched with our calculation. {text[:40]}"
    return None


def string_to_sign(method: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> str:
    """What the client should have signed."""
    pairs = "&".join(f"{quote(k, safe='~')}={quote(query[k], safe='~')}" for k in sorted(query))
    lines = [f"{name}:{headers[name].strip()}" for name in sorted(headers)]
    whole = [method, "/", pairs, *lines, "", ";".join(sorted(headers)), hashlib.sha256(body).hexdigest()]
    return f"ACS3-HMAC-SHA256\n{hashlib.sha256(chr(10).join(whole).encode()).hexdigest()}"


def fresh(stamp: str) -> bool:
    """Whether a call's time is near ours."""
    try:
        at = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs((datetime.now(UTC) - at).total_seconds()) < SKEW
