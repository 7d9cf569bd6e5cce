"""Signed requests: an agency that cannot sign XML signs the request itself, with a secret it shares with the desk.

    X-WarnHub-Timestamp   seconds since 1970
    X-WarnHub-Nonce       16 to 64 letters, digits, `-` or `_`, never used before
    X-WarnHub-Signature   hex HMAC-SHA256 of "v1\\n{method}\\n{path}\\n{timestamp}\\n{nonce}\\n{hex SHA-256 of the body}"

A repeat after a lost answer is the same body under a new nonce and time.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from warnhub.alert import Problem
from warnhub.crypto import KeyRing
from warnhub.desk import Refusal
from warnhub.store.agencies import Agency
from warnhub.store.audits import add_audit
from warnhub.store.engine import Store
from warnhub.store.trust import Trust, read_trust, use_nonce

APART = 300
"""Seconds the sender's clock may differ from ours."""

NONCE = re.compile(r"[\w-]{16,64}", re.ASCII)
NAMES = ("X-WarnHub-Timestamp", "X-WarnHub-Nonce", "X-WarnHub-Signature")


def sign_request(secret: str, method: str, path: str, timestamp: str, nonce: str, body: bytes) -> str:
    """The signature of a request."""
    said = "\n".join(("v1", method.upper(), path, timestamp, nonce, hashlib.sha256(body).hexdigest()))
    return hmac.new(secret.encode(), said.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Said:
    """What a request, or a record of a topic, says of itself: where it goes and how it is signed."""

    method: str
    path: str
    stamp: str
    nonce: str
    given: str
    body: bytes

    @classmethod
    def of(cls, method: str, path: str, headers: Mapping[str, str], body: bytes) -> "Said":
        """From its headers, whose names are in lower case or found in any."""
        stamp, nonce, given = (headers.get(name) or headers.get(name.lower(), "") for name in NAMES)
        return cls(method, path, stamp, nonce, given, body)


async def check_signed(store: Store, keys: KeyRing, agency: Agency, said: Said) -> bool:
    """Whether it is signed; 401 if it says so and is not, is not of now, or came before."""
    if not said.given:
        return False
    async with store.read() as conn:
        trust = await read_trust(conn, agency.id)
    fault = await find_fault(store, keys, agency, trust, said)
    if fault is None:
        return True
    async with store.write() as tx:
        await add_audit(tx, f"agency:{agency.id}", "signature.refused", said.path, {"rule": fault.rule})
    raise Refusal(401, "the request's signature is refused", [fault])


async def find_fault(store: Store, keys: KeyRing, agency: Agency, trust: Trust, said: Said) -> Problem | None:
    """What is wrong with it; a nonce is used up only by a signature that is right."""
    stamp, nonce, given = said.stamp, said.nonce, said.given
    if trust.secret is None:
        return fault("X-WarnHub-Signature", "SIGNATURE_UNPINNED", "本单位尚未设置签名密钥 / no secret is set for this agency")
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        return fault("X-WarnHub-Timestamp", "SIGNATURE_TIME", "须为1970年以来的秒数 / seconds since 1970", stamp)
    if not NONCE.fullmatch(nonce):
        return fault("X-WarnHub-Nonce", "SIGNATURE_NONCE", "须为16至64个字母数字 / 16 to 64 letters, digits, - or _", nonce)
    wanted = sign_request(keys.unseal(trust.secret), said.method, said.path, stamp, nonce, said.body)
    if not hmac.compare_digest(wanted.encode(), given.strip().lower().encode()):
        return fault(
            "X-WarnHub-Signature", "SIGNATURE_INVALID", "签名与内容不符 / does not fit the secret, the body or the path"
        )
    async with store.write() as tx:
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
