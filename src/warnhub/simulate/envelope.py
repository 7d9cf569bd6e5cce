"""How the simulated WeChat writes, seals and signs what it posts: XML; AES-256-CBC; SHA-1 over sorted parts."""

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ACCOUNT = "gh_5a1e00000000"


class Envelope:
    """One account's token, key (43 characters, or None for plain mode) and appid."""

    def __init__(self, token: str, key: str | None, appid: str) -> None:
        self.token = token
        self.key = base64.b64decode(key + "=") if key else b""
        self.appid = appid

    def letter(self, openid: str, kind: str, said: Mapping[str, str | int]) -> str:
        """The XML of a message or an event of this moment."""
        heads: dict[str, str | int] = {"ToUserName": ACCOUNT, "FromUserName": openid}
        heads |= {"CreateTime": int(time.time()), "MsgType": kind}
        return f"<xml>{''.join(element(name, value) for name, value in (heads | dict(said)).items())}</xml>"

    def closed(self, letter: str, openid: str) -> tuple[dict[str, str], bytes]:
        """The query and the body of the POST, signed now."""
        stamp, nonce = str(int(time.time())), secrets.token_hex(5)
        query = {"signature": self.sign(stamp, nonce), "timestamp": stamp, "nonce": nonce, "openid": openid}
        if not self.key:
            return query, letter.encode()
        sealed = self.seal(letter.encode(), secrets.token_bytes(16))
        query |= {"encrypt_type": "aes", "msg_signature": self.sign(stamp, nonce, sealed)}
        return query, f"<xml>{element('ToUserName', ACCOUNT)}{element('Encrypt', sealed)}</xml>".encode()

    def sign(self, *parts: str) -> str:
        """The token and the parts, sorted, joined, hashed."""
        return hashlib.sha1("".join(sorted([self.token, *parts])).encode(), usedforsecurity=False).hexdigest()

    def seal(self, letter: bytes, noise: bytes) -> str:
        """16 random bytes, the length, the letter and the appid, padded to 32, encrypted, in base64."""
        plain = noise + len(letter).to_bytes(4, "big") + letter + self.appid.encode()
        pad = 32 - len(plain) % 32
        cipher = Cipher(algorithms.AES256(self.key), modes.CBC(self.key[:16])).encryptor()
        return base64.b64encode(cipher.update(plain + bytes([pad]) * pad) + cipher.finalize()).decode()


def element(name: str, value: str | int) -> str:
    """A number as it is, words as CDATA."""
    if isinstance(value, int):
        return f"<{name}>{value}</{name}>"
    return f"<{name}><![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]></{name}>"
