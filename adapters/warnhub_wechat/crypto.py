"""How WeChat signs and seals what it posts to us.

https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/Technical_Plan.html
"""

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from warnhub.port import Refused

BLOCK = 32
"""PKCS#7 over 32 bytes, not over the cipher's 16."""


def signature(*parts: str) -> str:
    """SHA-1 in hex over the parts, sorted and joined."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def check(given: str, *parts: str) -> None:
    """Raise `Refused` unless `given` signs the parts."""
    if not hmac.compare_digest(given.encode(), signature(*parts).encode()):
        raise Refused("the signature is not WeChat's")


def opened(sealed: str, key: str, appid: str) -> bytes:
    """The XML inside `sealed` (base64); `key` is the 43-character EncodingAESKey.

    Inside are 16 random bytes, the length of the XML in four (big-endian), the XML, and the appid it is for; in
    AES-256-CBC with the key's first half as IV. Raises `Refused` for anything else.
    """
    secret = base64.b64decode(key + "=")
    try:
        locked = base64.b64decode(sealed, validate=True)
        cipher = Cipher(algorithms.AES256(secret), modes.CBC(secret[:16])).decryptor()
        padded = cipher.update(locked) + cipher.finalize()
    except ValueError:
        raise Refused("the sealed part cannot be opened") from None
    pad = padded[-1] if padded else 0
    plain = padded[:-pad]
    end = 20 + int.from_bytes(plain[16:20], "big")
    if not 1 <= pad <= BLOCK or padded[-pad:] != bytes([pad]) * pad or not 20 < end <= len(plain):
        raise Refused("the sealed part is not in WeChat's form")
    if not hmac.compare_digest(plain[end:], appid.encode()):
        raise Refused("the sealed part is for another account")
    return plain[20:end]
