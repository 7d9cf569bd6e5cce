"""Signed requests: an agency that cannot sign XML signs the request itself, with a secret it shares with the desk.

    X-WarnHub-Timestamp   seconds since 1970
    X-WarnHub-Nonce       16 to 64 letters, digits, `-` or `_`, never used before
    X-WarnHub-Signature   hex HMAC-SHA256 of "v1\\n{method}\\n{path}\\n{timestamp}\\n{nonce}\\n{hex SHA-256 of the body}"

A repeat after a lost answer is the same body under a new nonce and time.
"""

import hashlib
import hmac
import re

from fastapi import Request

from warnhub.alert import Problem
from warnhub.desk import Refusal
from warnhub.hub import Hub
from warnhub.store.agencies import Agency
from warnhub.store.audits import add_audit
from warnhub.store.trust import Trust, use_nonce

APART = 300
"""Seconds the sender's clock may differ from ours."""

NONCE = re.compile(r"[\w-]{16,64}", re.ASCII)
NAMES = ("X-WarnHub-Timestamp", "X-WarnHub-Nonce", "X-WarnHub-Signature")


def sign_request(secret: str, method: str, path: str, timestamp: str, nonce: str, body: bytes) -> str:
    """The signature of a request."""
    said = "\n".join(("v1", method.upper(), path, timestamp, nonce, hashlib.sha256(body).hexdigest()))
    return hmac.new(secret.encode(), said.encode(), hashlib.sha256).hexdigest()


async def check_request(request: Request, hub: Hub, agency: Agency, trust: Trust, body: bytes) -> bool:
    """Whether the request is signed; 401 if it says so and is not, is not of now, or came before."""
    stamp, nonce, given = (request.headers.get(name, "") for name in NAMES)
    if not given:
        return False
    fault = await find_fault(request, hub, agency, trust, body, (stamp, nonce, given))
    if fault is None:
        return True
    async with hub.store.write() as tx:
        await add_audit(tx, f"agency:{agency.id}", "signature.refused", request.url.path, {"rule": fault.rule})
    raise Refusal(401, "the request's signature is refused", [fault])


async def find_fault(
    request: Request, hub: Hub, agency: Agency, trust: Trust, body: bytes, said: tuple[str, str, str]
) -> Problem | None:
    """What is wrong with it; a nonce is used up only by a signature that is right."""
    stamp, nonce, given = said
    if trust.secret is None:
        return fault("X-WarnHub-Signature", "SIGNATURE_UNPINNED", "本单位尚未设置签名密钥 / no secret is set for this agency")
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        return fault("X-WarnHub-Timestamp", "SIGNATURE_TIME", "须为1970年以来的秒数 / seconds since 1970", stamp)
    if not NONCE.fullmatch(nonce):
        return fault("X-WarnHub-Nonce", "SIGNATURE_NONCE", "须为16至64个字母数字 / 16 to 64 letters, digits, - or _", nonce)
    wanted = sign_request(hub.keys.unseal(trust.secret), request.method, request.url.path, stamp, nonce, body)
    if not hmac.compare_digest(wanted.encode(), given.strip().lower().encode()):
        return fault(
            "X-WarnHub-Signature", "SIGNATURE_INVALID", "签名与内容不符 / does not fit the secret, the body or the path"
        )
    async with hub.store.write() as tx:
        apart = abs(tx.now // 1_000 - int(stamp))
        if apart > APART:
            return fault(
                "X-WarnHub-Timestamp", "SIGNATURE_TIME", f"时间相差超过{APART}秒 / more than {APART} s from now", stamp
            )
        if not await use_nonce(tx, agency.id, nonce):
            return fault("X-WarnHub-Nonce", "SIGNATURE_REPLAYED", "该请求已收到过 / this nonce was used before", nonce)
    return None


def fault(path: str, rule: str, message: str, value: str = "") -> Problem:
    """One thing wrong with the headers."""
    return Problem(path=path, rule=rule, message=message, value=value)
